"""The recorder: writes the actions of one run into its journal, batch by batch, in the order of the store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from milo.action import Action
from milo.journal.action_writer import ActionWriter
from milo.journal.chain import link
from milo.journal.codec import encode
from milo.journal.declared import DeclaredPhase
from milo.journal.entries import BROKEN, STATE, Kept
from milo.journal.errors import CodecError, JournalError, explained
from milo.journal.faults import reached
from milo.journal.location import Identity, companions
from milo.journal.lock import RunLock
from milo.journal.log_tail import LogTail
from milo.journal.notes import drop_note, leave_note
from milo.journal.output_files import OutputFiles
from milo.journal.rows import delete_places, insert, transaction
from milo.journal.schema import RUN_SHIFT
from milo.journal.state_digest import state_digest
from milo.pipeline import PHASE_LOG, PipelineState

__all__ = ["Position", "Recorder"]

# A result beyond it stands in a row of its own, so that reading the actions stays cheap.
_SMALL: Final = 256
_NONE: Final = Kept(encode(None))


class Position:
    """Where a run's journal ends.

    Args:
        number: The run's number.
        seq: How many records it has.
        head: The hash of the last one.
    """

    __slots__ = ("base", "head", "number", "seq")

    def __init__(self, number: int, seq: int, head: bytes) -> None:
        self.number = number
        self.base = number << RUN_SHIFT
        self.seq = seq
        self.head = head


class Recorder:
    """Writes one run. One thread uses it at a time, save for `snapshot`, which is for any.

    Args:
        connection: To the journal; the recorder closes it.
        path: The journal's file.
        run: The run's name.
        lock: The right to write to it; the recorder releases it.
        position: Where the run's journal ends.
        phases: What is declared.
        tail: The lines that the journal has of the run.
        serializer: "pickle" to pickle results that the codec does not know.
        on_unkept: Called with a phase's name and a message when its result cannot be kept.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        run: str,
        lock: RunLock,
        position: Position,
        phases: Sequence[DeclaredPhase],
        tail: LogTail,
        *,
        serializer: str = "",
        on_unkept: Callable[[str, str], object] | None = None,
    ) -> None:
        self.path = path
        self.run = run
        self.error: JournalError | None = None
        """Why it records no more; None while it does."""
        self._connection = connection
        self._file = Identity(path)
        self._log: Identity | None = None
        self._lock = lock
        self._position = position
        self._secret = frozenset(phase.name for phase in phases if not phase.persist)
        self._serializer = serializer
        self._on_unkept = on_unkept
        self._unkept: list[tuple[str, str]] = []
        self._snapshots: dict[str, tuple[Any, Kept, bytes]] = {}
        names = [phase.name for phase in phases]
        self._writer = ActionWriter({name: number for number, name in enumerate(names)}, self._keep)
        self._tail = tail
        self._outputs = OutputFiles(path, run, names)
        self._records: list[Any] = []
        self._results: list[Any] = []
        self._gap = False

    def output_path(self, phase: str) -> Path:
        """Where the complete output of a phase stands, or would if it printed anything."""
        return self._outputs.path(phase)

    def snapshot(self, phase: str, result: Any) -> None:
        """Take a result as it is now, before later phases may change it; from any thread.

        What is not taken is encoded when its completion is recorded.
        """
        if result.__class__ not in _ATOMS and phase not in self._secret:
            self._snapshots[phase] = (result, *self._encoded(phase, result))

    def record(self, actions: Sequence[Action]) -> None:
        """Write actions, in order; when it returns they are durable.

        Raises:
            JournalError: They are not; the recorder is of no use any more.
        """
        if self.error is not None:
            raise self.error
        try:
            self._prepare(actions)
            self._write_outputs()
            self._commit()
        except (sqlite3.Error, OSError, JournalError) as error:
            raise self._failed(error) from None
        for phase, message in self._unkept:
            if self._on_unkept is not None:
                self._on_unkept(phase, message)
        self._unkept.clear()

    def append(self, *data: bytes) -> None:
        """Write records that are no actions, all or none of them.

        Raises:
            JournalError: As for `record`.
        """
        if self.error is not None:
            raise self.error
        for each in data:
            self._add(each)
        try:
            self._commit()
        except (sqlite3.Error, OSError, JournalError) as error:
            raise self._failed(error) from None

    def finish(self, state: PipelineState) -> None:
        """Write what the run came to, so that a replay can be compared with it.

        Raises:
            JournalError: As for `record`.
        """
        self.append(bytes((STATE,)) + state_digest(state))
        reached("end recorded")

    def mark_gap(self) -> None:
        """Say that the run goes on though it is recorded no more: what is recorded cannot be gone on with.

        A run that stops instead leaves a prefix of itself, as one that was killed does.
        """
        self._gap = True
        leave_note(self.path, self.run, str(self.error))

    def close(self) -> None:
        """Release everything; safe any number of times. What was recorded stays."""
        self._outputs.close()
        if self._gap and self._mark_broken():
            drop_note(self.path, self.run)
        with contextlib.suppress(sqlite3.Error):
            # The last one that closes moves everything into the database; a fault then only leaves it where it is.
            self._connection.close()
        reached("connection closed")
        self._lock.release()

    def _prepare(self, actions: Sequence[Action]) -> None:
        add_line, write, add = self._tail.add, self._writer.encode, self._add
        position = self._position
        for action in actions:
            if action.type != PHASE_LOG or not add_line(action, position.seq, position.head):
                add(write(action))
        reached("batch encoded")

    def _add(self, data: bytes) -> None:
        position = self._position
        position.seq += 1
        position.head = head = link(position.head, data)
        self._records += (position.base + position.seq, data, head)

    def _keep(self, phase: str, result: Any) -> Kept:
        """How the result of a completion is kept that is about to be written."""
        if phase in self._secret:
            return Kept(reason="")
        if result is None:
            return _NONE
        taken, kept, data = self._snapshots.pop(phase, (None, _NONE, b""))
        if taken is not result:
            kept, data = self._encoded(phase, result)
        if kept.digest is not None:
            self._results += (self._position.base + self._position.seq + 1, data)
        elif kept.data is None:
            self._unkept.append((phase, kept.reason))
        return kept

    def _encoded(self, phase: str, result: Any) -> tuple[Kept, bytes]:
        try:
            data = encode(result, serializer=self._serializer, name=f"The result of phase {phase!r}")
        except CodecError as error:
            return Kept(reason=str(error)), b""
        if len(data) <= _SMALL:
            return Kept(data), b""
        return Kept(digest=link(b"", data)), data

    def _write_outputs(self) -> None:
        for name, lines in self._tail.outputs():
            self._outputs.write(name, lines)
        reached("output written")

    def _commit(self) -> None:
        """Write what has gathered in one transaction, and see that it went where others will look for it."""
        connection = self._connection
        lines, old = self._tail.take()
        with transaction(connection):
            reached("transaction begun")
            if self._results:
                insert(connection, "results", self._results)
                reached("results inserted")
            insert(connection, "records", self._records)
            reached("records inserted")
            if lines:
                insert(connection, "logs", lines)
                reached("logs inserted")
            if old:
                delete_places(connection, old)
                reached("logs pruned")
            reached("before commit")
        reached("after commit")
        self._records.clear()
        self._results.clear()
        if self._log is None:
            self._log = Identity(companions(self.path)[0])
        self._file.check()
        self._log.check()
        reached("still in place")

    def _failed(self, error: Exception) -> JournalError:
        self.error = explained(error, self.path, "written")
        self._records.clear()
        self._results.clear()
        self._snapshots.clear()
        return self.error

    def _mark_broken(self) -> bool:
        """Say in the journal, if it can be written again, that actions are missing; whether that was possible."""
        base = self._position.base
        try:
            row = self._connection.execute(
                "SELECT place, hash FROM records WHERE place > ? AND place < ? ORDER BY place DESC LIMIT 1",
                (base, base + (1 << RUN_SHIFT)),
            ).fetchone()
            if row is None:
                return False
            data = bytes((BROKEN,)) + encode(str(self.error))
            with transaction(self._connection):
                insert(self._connection, "records", (row[0] + 1, data, link(row[1], data)))
        except (sqlite3.Error, OSError):
            return False
        return True


_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
