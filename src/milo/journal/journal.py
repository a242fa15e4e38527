"""Opening a journal to record in it: a new run, or one that another process has left unfinished."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from milo.journal.chain import link
from milo.journal.database import DURABILITIES, Durability, close_quietly, open_writer
from milo.journal.declared import About, DeclaredPhase, head_records
from milo.journal.entries import LOG
from milo.journal.errors import DamagedError, JournalError, explained
from milo.journal.faults import reached
from milo.journal.history import RunInfo, find, unfinished
from milo.journal.location import prepare
from milo.journal.lock import RunLock, journal_lock
from milo.journal.log_tail import LogTail, Tail
from milo.journal.notes import note_of
from milo.journal.plan import Plan
from milo.journal.recorder import Position, Recorder
from milo.journal.recovery import finish_recovery, recover
from milo.journal.replay import Replay, replay
from milo.journal.restoring import planned
from milo.journal.retention import prune
from milo.journal.rows import insert, transaction
from milo.journal.run_rows import RunRow, RunRows, kept_text
from milo.journal.schema import MAX_NUMBER, RUN_SHIFT

__all__ = ["Journal", "Taken"]


class Journal:
    """A journal that is open for recording one run.

    Args:
        path: Its file, which is made if there is none.
        durability: "process": what is recorded survives the death of any process. "power": also that of the machine.
        serializer: "pickle" to pickle results that the codec does not know.
        on_message: Called with what a person should know, such as that the journal was damaged and was recovered.

    Raises:
        JournalError: It cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "process",
        serializer: str = "",
        on_message: Callable[[str], object] = lambda message: None,
    ) -> None:
        if durability not in DURABILITIES:
            raise JournalError(
                f"durability must be one of {', '.join(map(repr, DURABILITIES))}, got {durability!r}."
            )
        if serializer not in ("", "pickle"):
            raise JournalError(f'serializer must be "pickle" or left out, got {serializer!r}.')
        self.path = Path(os.path.abspath(os.fsdecode(path)))
        self._serializer = serializer
        prepare(self.path)
        with journal_lock(self.path):
            finish_recovery(self.path)
            try:
                self.connection = open_writer(self.path, durability)
            except DamagedError as damage:
                on_message(recover(self.path, damage))
                self.connection = open_writer(self.path, durability)

    def begin(
        self,
        run: str,
        about: About,
        phases: Sequence[DeclaredPhase],
        on_unkept: Callable[[str, str], object] | None = None,
    ) -> Recorder:
        """Begin a new run. The recorder takes the journal over.

        Args:
            run: Its name, which no other run in the journal has.
            about: What there is to say of it.
            phases: What is declared.
            on_unkept: Called with a phase's name and a message when its result cannot be kept.

        Raises:
            JournalError: It cannot be written.
        """
        lock = RunLock(self.path, run)
        try:
            position = self._insert_run(run, about, phases)
        except BaseException as error:
            lock.release()
            if isinstance(error, sqlite3.Error | OSError):
                raise explained(error, self.path, "written") from None
            raise
        tail = LogTail({phase.name: phase.max_logs for phase in phases}, position.base)
        return self._recorder(run, lock, position, phases, tail, on_unkept)

    def _insert_run(self, run: str, about: About, phases: Sequence[DeclaredPhase]) -> Position:
        """The run's row and what begins it, all or nothing."""
        texts = [kept_text(text) for text in (about.pipeline, about.target)]
        head = list(head_records(about, phases))
        reached("head encoded")
        with transaction(self.connection):
            number = self.connection.execute(
                "INSERT INTO runs (name, pipeline, target, started) VALUES (?, ?, ?, ?)",
                (run, *texts, float(about.time)),
            ).lastrowid
            reached("run inserted")
            row = RunRow(int(number or 0), run, texts[0], texts[1], float(about.time))
            position = Position(row.number, 0, row.seed)
            records: list[Any] = []
            for data in head:
                position.seq += 1
                position.head = link(position.head, data)
                records += (position.base + position.seq, data, position.head)
            insert(self.connection, "records", records)
        reached("head committed")
        return position

    def _recorder(
        self,
        run: str,
        lock: RunLock,
        position: Position,
        phases: Sequence[DeclaredPhase],
        tail: LogTail,
        on_unkept: Callable[[str, str], object] | None,
    ) -> Recorder:
        return Recorder(
            self.connection,
            self.path,
            run,
            lock,
            position,
            phases,
            tail,
            serializer=self._serializer,
            on_unkept=on_unkept,
        )

    def unfinished(self, pipeline: str, target: str) -> RunInfo | None:
        """The newest run of a pipeline that has not completed; it may be running just now.

        Raises:
            JournalError: The journal cannot be read.
        """
        try:
            return unfinished(self.connection, self.path, pipeline, target)
        except sqlite3.Error as error:
            raise explained(error, self.path, "read") from None

    def take(self, run: str | None = None) -> Taken:
        """Take over a run that is not finished, so that nobody else can.

        Args:
            run: Its name, or the beginning of it; the one worked on last by default.

        Raises:
            HeldError: Another process is at work on it.
            JournalError: There is no such run, or it cannot be resumed.
        """
        row = find(self.connection, self.path, run)
        lock = RunLock(self.path, row.name)
        try:
            return Taken(self, row, lock, self._serializer)
        except BaseException as error:
            lock.release()
            if isinstance(error, sqlite3.Error | OSError):
                raise explained(error, self.path, "read") from None
            raise

    def prune(self, keep: int) -> list[str]:
        """Delete all runs but the newest `keep`, and give their names."""
        return prune(self.connection, self.path, keep)

    def close(self) -> None:
        """Release the journal, if no recorder has taken it over."""
        close_quietly(self.connection)


class Taken:
    """A run that this process has taken over, and has not gone on with yet.

    Attributes:
        recorded: The run so far.
        damage: Why nothing after that can be trusted; "" when all is well.
    """

    def __init__(self, journal: Journal, row: RunRow, lock: RunLock, serializer: str) -> None:
        self._journal = journal
        self._lock = lock
        self._serializer = serializer
        self.recorded: Replay
        self._rows: RunRows
        self.recorded, self._rows = replay(journal.connection, row)
        self.damage = self._rows.damage
        status = self.recorded.state.status
        broken = self.recorded.broken or note_of(journal.path, row.name)
        if self.recorded.about is None:
            raise JournalError(f"Run {row.name} cannot be resumed: nothing of it can be read.")
        if status == "completed":
            raise JournalError(f"Run {row.name} has completed: there is nothing to resume.")
        if broken:
            raise JournalError(
                f"Run {row.name} cannot be resumed, because it went on after its journal had failed: {broken}",
                hint="Start a new run.",
            )

    @property
    def row(self) -> RunRow:
        """Its row: name, pipeline, target and when it was begun."""
        return self.recorded.row

    def plan(self, phases: Sequence[DeclaredPhase]) -> tuple[Plan, dict[str, Any]]:
        """Plan how to go on.

        Args:
            phases: What is declared today.

        Returns:
            The plan, and the results of the phases that are kept.
        """
        return planned(self._journal.connection, self.recorded, phases, serializer=self._serializer)

    def go_on(
        self,
        about: About,
        phases: Sequence[DeclaredPhase],
        on_unkept: Callable[[str, str], object] | None = None,
    ) -> Recorder:
        """Begin to record again where the run stopped; arguments as for `Journal.begin`.

        Raises:
            JournalError: It cannot be written.
        """
        journal, row, rows = self._journal, self.row, self._rows
        try:
            self._cut()
            tails = self._tails({phase.name: (at, phase.max_logs) for at, phase in enumerate(phases)})
        except sqlite3.Error as error:
            raise explained(error, journal.path, "written") from None
        position = Position(row.number, rows.seq, rows.head)
        limits = {phase.name: phase.max_logs for phase in phases}
        tail = LogTail(limits, position.base, rows.line, tails)
        recorder = journal._recorder(row.name, self._lock, position, phases, tail, on_unkept)
        recorder.append(*head_records(about, phases))
        return recorder

    def _cut(self) -> None:
        """Delete what comes after the last record that can be trusted."""
        base = self.row.number << RUN_SHIFT
        connection = self._journal.connection
        with transaction(connection):
            for table, last in (
                ("records", self._rows.seq),
                ("results", self._rows.seq),
                ("logs", self._rows.line),
            ):
                connection.execute(
                    f"DELETE FROM {table} WHERE place > ? AND place <= ?", (base + last, base + MAX_NUMBER)
                )
        reached("tail cut off")

    def _tails(self, phases: Mapping[str, tuple[int, int]]) -> dict[str, Tail]:
        """The log lines that the journal has of the run, for those phases that are still declared."""
        base = self.row.number << RUN_SHIFT
        boundaries = self.recorded.boundaries
        sitting = 0
        tails: dict[str, Tail] = {}
        lines = self._journal.connection.execute(
            "SELECT place, data FROM logs WHERE place > ? AND place <= ? ORDER BY place",
            (base, base + MAX_NUMBER),
        )
        for place, data in lines:
            after, number, count, _, _ = LOG.unpack_from(data)
            while sitting + 1 < len(boundaries) and boundaries[sitting + 1][0] <= after:
                sitting += 1
            name = boundaries[sitting][1][number]
            if name in phases:
                tail = tails.get(name)
                if tail is None:
                    tail = tails[name] = Tail(*phases[name], places=deque())
                tail.count = count
                tail.places.append(place)
        return tails

    def release(self) -> None:
        """Let others have the run, if it is not gone on with; the journal stays open."""
        self._lock.release()
