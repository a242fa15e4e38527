"""A follower: reads a run while another process records it, and tells what has come since it was asked last."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from milo.action import Action
from milo.journal.database import close_quietly, open_reader
from milo.journal.errors import CodecError, DamagedError
from milo.journal.history import describe, find
from milo.journal.lock import Holder, holder_of
from milo.journal.replay import Replay
from milo.journal.run_rows import RunRow, RunRows
from milo.pipeline import PipelineState

__all__ = ["Follower"]


class Follower:
    """Reads one run, live or finished. Asking costs little when nothing has come; ten times a second is plenty.

    Args:
        path: The journal's file.
        run: The run's name, or the beginning of it; the one worked on last by default.

    Raises:
        JournalError: There is no such journal or run.
    """

    def __init__(self, path: Path, run: str | None = None) -> None:
        self._path = path
        self._connection = open_reader(path)
        try:
            self.row: RunRow = find(self._connection, path, run)
        except BaseException:
            close_quietly(self._connection)
            raise
        self._rows = RunRows(self._connection, self.row)
        self._replay = Replay(self.row)
        self._version: int | None = None

    @property
    def state(self) -> PipelineState:
        """The state after the last action that `poll` gave."""
        return self._replay.state

    @property
    def replay(self) -> Replay:
        """All that is known of the run by now."""
        return self._replay

    @property
    def damage(self) -> str:
        """Why nothing more comes although there is more; "" as long as all is well."""
        return self._rows.damage

    @property
    def lost_lines(self) -> int:
        """How many log lines were not what was written, and are left out."""
        return self._rows.lost_lines

    def is_outdated(self) -> bool:
        """Whether it has come to damage, and the journal has changed since: a new follower may get further."""
        return bool(self._rows.damage) and self._has_changed()

    def poll(self) -> list[Action]:
        """The actions that have come, in order. Completions come without their results."""
        if self._rows.damage or not self._has_changed():
            return []
        actions = []
        try:
            with contextlib.closing(self._rows.fresh()) as fresh:
                for data in fresh:
                    action = self._replay.feed(data, self._rows.seq)
                    if action is not None:
                        actions.append(action)
        except (DamagedError, CodecError) as error:
            self._rows.damage = f"after record {self._rows.seq}: {error}"
        return actions

    def _has_changed(self) -> bool:
        try:
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return True  # reading says what is wrong
        if version == self._version:
            return False
        self._version = version
        return True

    def holder(self) -> Holder | None:
        """Who is at work on the run; None when nobody is."""
        return holder_of(self._path, self.row.name)

    def status(self) -> str:
        """The run's status: as its state says, and interrupted if it has not ended and its process is gone."""
        return describe(self._connection, self._path, self.row).status

    def close(self) -> None:
        """Release the journal."""
        close_quietly(self._connection)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
