"""A recorded run, replayed: its records through the same reducer that was live, and what follows from them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from milo.action import INIT, Action
from milo.journal.action_reader import ActionReader, kept_in
from milo.journal.chain import link
from milo.journal.declared import About, DeclaredPhase, phase_rows, read_head, read_phases
from milo.journal.decoder import decode
from milo.journal.entries import BROKEN, FIRST_ACTION, HEAD, LOG_LINE, PHASES, STATE, Kept
from milo.journal.errors import CodecError, DamagedError
from milo.journal.run_rows import RunRow, RunRows
from milo.journal.schema import RUN_SHIFT
from milo.journal.state_digest import state_digest
from milo.pipeline import PHASE_COMPLETE, PHASE_SKIPPED, PHASE_START, PIPELINE_START, PipelineState
from milo.pipeline.reducer import make_reducer
from milo.pipeline.state import Roster

__all__ = ["Completion", "Replay", "load_result", "replay"]


class Completion(NamedTuple):
    """That a phase is done.

    Attributes:
        seq: The number of the record that says so.
        declared: The phase as it ran.
        python: Under which Python its fingerprint was made.
        kept: How its result is kept; None for a skipped phase, which has none.
    """

    seq: int
    declared: DeclaredPhase
    python: str
    kept: Kept | None


class Replay:
    """What the records of a run come to, so far.

    Attributes:
        row: The run.
        about: What the process said of it that began to work on it last; None before the first.
        phases: What it declared.
        state: The state after the last action.
        actions: How many actions there were.
        sittings: How many processes have worked on it, one after the other.
        begun: Whether there is an action of the last of them; until then the state is what those before have left.
        completions: What is done and still counts, by phase.
        outdated: The phases that were done before something they depend on ran again, and were not started since.
        verdicts: For each end that was recorded, whether the replayed state is what the live one was.
        broken: Why actions are missing at the end; "" when none are.
    """

    def __init__(self, row: RunRow) -> None:
        self.row = row
        self.about: About | None = None
        self.phases: list[DeclaredPhase] = []
        self.state = PipelineState(row.pipeline)
        self.actions = 0
        self.sittings = 0
        self.begun = False
        self.completions: dict[str, Completion] = {}
        self.outdated: set[str] = set()
        self.verdicts: list[bool] = []
        self.broken = ""
        self.boundaries: list[tuple[int, list[str]]] = []
        """Where each sitting began, and the names of its phases by number."""
        self._head: About | None = None
        self._rows: list[Any] = []
        self._declared: dict[str, DeclaredPhase] = {}
        self._reducer: Callable[[PipelineState | None, Action], PipelineState] | None = None
        self._reader = ActionReader(())

    def feed(self, data: bytes, seq: int) -> Action | None:
        """Take the record number `seq`, or a log line after it.

        Returns:
            The action that it holds, if it holds one.

        Raises:
            DamagedError: It cannot be understood.
        """
        kind = data[0]
        if kind < FIRST_ACTION and kind != LOG_LINE:
            self._fact(kind, data, seq)
            return None
        if self._reducer is None:
            raise DamagedError("The run begins without its declaration.")
        action = self._reader.decode(data)
        if action.type in _MATTERS:
            self._note(action, data, seq)
        try:
            self.state = self._reducer(self.state, action)
        except Exception as error:  # noqa: BLE001 - no action that was ever applied does this
            raise DamagedError(f"The action {action.type} cannot be applied: {error!r}.") from None
        self.actions += 1
        self.begun = True
        return action

    def _fact(self, kind: int, data: bytes, seq: int) -> None:
        if kind == HEAD:
            self._head, self._rows = read_head(data), []
            self._declare(seq)
        elif kind == PHASES:
            self._rows += phase_rows(data)
            self._declare(seq)
        elif kind == STATE:
            self.verdicts.append(state_digest(self.state) == data[1:])
        elif kind == BROKEN:
            self.broken = str(decode(data[1:])) or "actions are missing"
        # What a newer milo of the same schema notes besides can be passed over.

    def _declare(self, seq: int) -> None:
        """Begin a sitting, once all parts of its declaration are there."""
        about = self._head
        if about is None:
            raise DamagedError("A declaration has no head.")
        if len(self._rows) < about.phases:
            return
        phases = read_phases(self._rows)
        self.about, self.phases = about, phases
        self._declared = {phase.name: phase for phase in phases}
        names = [phase.name for phase in phases]
        roster = Roster(
            about.pipeline, names, [phase.weight for phase in phases], [phase.max_logs for phase in phases]
        )
        self.boundaries.append((seq, names))
        self._reader = ActionReader(names)
        self._reducer = make_reducer(about.pipeline, roster)
        if self.sittings == 0:
            self.state = self._reducer(None, Action(INIT))
        self.sittings += 1
        self.begun = False
        self.broken = ""

    def _note(self, action: Action, data: bytes, seq: int) -> None:
        """Keep account of what is done."""
        payload: Any = action.payload
        if action.type == PIPELINE_START:
            resumed = isinstance(payload, dict) and payload.get("resumed")
            again = payload.get("again", ()) if resumed else list(self.completions)
            for name in again:
                self.completions.pop(name, None)
            self.outdated = self.outdated | set(again) if resumed else set()
            return
        name = payload.get("name") if isinstance(payload, dict) else payload
        declared = self._declared.get(name) if isinstance(name, str) else None
        if declared is None or self.about is None:
            return
        if action.type == PHASE_START:
            self.completions.pop(declared.name, None)
            self.outdated.discard(declared.name)
            return
        found = kept_in(data) if action.type == PHASE_COMPLETE else None
        kept = found[1] if found is not None else Kept() if action.type == PHASE_COMPLETE else None
        self.completions[declared.name] = Completion(seq, declared, self.about.python, kept)


_MATTERS = frozenset({PIPELINE_START, PHASE_START, PHASE_COMPLETE, PHASE_SKIPPED})


def replay(connection: sqlite3.Connection, row: RunRow) -> tuple[Replay, RunRows]:
    """Replay a whole run, up to where its records can be trusted.

    Returns:
        What they come to, and where they ended: `damage` says why there is more that cannot be trusted.
    """
    result, rows = Replay(row), RunRows(connection, row)
    feed = result.feed
    seq, head = rows.seq, rows.head
    try:
        with contextlib.closing(rows.fresh()) as fresh:
            for data in fresh:
                feed(data, rows.seq)
                seq, head = rows.seq, rows.head
    except (DamagedError, CodecError) as error:
        rows.seq, rows.head = seq, head
        rows.damage = f"after record {seq}: {error}"
    return result, rows


def load_result(
    connection: sqlite3.Connection, number: int, completion: Completion, *, serializer: str = ""
) -> Any:
    """The result of a completed phase.

    Args:
        connection: For reading.
        number: The run's number.
        completion: Of the phase.
        serializer: "pickle" to accept what was pickled.

    Raises:
        CodecError: It is not kept, or not what was written.
    """
    kept = completion.kept
    if kept is None:
        return None
    if kept.data is not None:
        return decode(kept.data, serializer=serializer)
    if kept.digest is None:
        raise CodecError(kept.reason or "Its result is not kept.")
    place = (number << RUN_SHIFT) + completion.seq
    try:
        row = connection.execute("SELECT data FROM results WHERE place = ?", (place,)).fetchone()
    except sqlite3.Error as error:
        raise CodecError(f"Its result cannot be read: {error}.") from None
    if row is None or row[0].__class__ is not bytes or link(b"", row[0]) != kept.digest:
        raise CodecError("Its result is not what was written.")
    return decode(row[0], serializer=serializer)
