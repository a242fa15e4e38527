"""The run of a journal that was begun or gone on with last, followed while any process works on it."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from milo.journal import EmptyError, Follower, JournalError, history, open_reader, output_path
from milo.journal.errors import explained
from milo.journal.history import latest
from milo.journal.notes import note_of
from milo.journal.run_rows import RunRow, kept_text, run_rows
from milo.views.mcp.look import Look, NoRunError

__all__ = ["JournalSource", "looked"]

_ENDED = frozenset({"completed", "failed", "cancelled"})
_NOT_RESUMED = frozenset({"pending", "running", "completed"})
_RUNS = 100


def looked(path: Path, follower: Follower) -> Look:
    """Look at the run that a follower reads, as it stands now.

    Args:
        path: The journal's file.
        follower: Used by nobody else meanwhile.
    """
    # Asked before the records are: a run that ends in between is not taken for dead.
    holder = follower.holder()
    follower.poll()
    replay, state, run = follower.replay, follower.state, follower.row.name
    # What was recorded before whoever goes on with it has begun tells nothing of how it stands now.
    status = state.status if replay.begun else "pending"
    if status not in _ENDED and holder is None:
        status = "interrupted"
    going_here = replay.begun and holder is not None and holder.host == socket.gethostname()
    broken = replay.broken
    if not broken and status not in _NOT_RESUMED:
        broken = note_of(path, run)
    notes = [follower.damage and f"The journal is damaged {follower.damage}.", broken]
    if follower.lost_lines:
        notes.append(f"{follower.lost_lines} log lines are damaged and left out.")
    return Look(
        run,
        status,
        state,
        replay.phases,
        time.monotonic() if going_here else None,
        " ".join(note for note in notes if note),
        partial(output_path, path, run, state.names),
        bool(broken),
    )


class JournalSource:
    """Shows the run that was begun or gone on with last, and the next one as soon as there is one.

    Args:
        path: The journal's file, which need not be there yet.
        target: Only runs of this target, resolved; "" for all.
    """

    polled = True

    def __init__(self, path: Path, target: str = "") -> None:
        self._path = path
        self._target = kept_text(target)
        self._lock = threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None
        self._follower: Follower | None = None

    def look(self) -> Look:
        """The run that was begun or gone on with last, as it stands.

        Raises:
            NoRunError: There is none.
            JournalError: The journal cannot be read.
        """
        with self._lock:
            try:
                return looked(self._path, self._following())
            except (JournalError, sqlite3.Error, OSError) as error:
                self._close()
                raise explained(error, self._path, "read") from None

    def _following(self) -> Follower:
        """The follower of the run that is to be shown now."""
        row = self._row()
        if self._follower is not None and (self._follower.row != row or self._follower.is_outdated()):
            self._follower.close()
            self._follower = None
        if self._follower is None:
            self._follower = Follower(self._path, row.name)
        return self._follower

    def _row(self) -> RunRow:
        identity = self._look_at_file()
        if identity != self._identity:
            # Deleted or replaced: what is open would show the old one for ever.
            self._close()
        if identity is None:
            raise NoRunError(f"No run is recorded yet: there is no journal {self._path}.", hint=_START)
        if self._connection is None:
            self._connection = self._opened()
            self._identity = identity
        rows = [row for row in run_rows(self._connection) if not self._target or row.target == self._target]
        if not rows:
            raise self._none()
        return latest(self._connection, rows)

    def _opened(self) -> sqlite3.Connection:
        try:
            return open_reader(self._path)
        except EmptyError:
            raise self._none() from None

    def _none(self) -> NoRunError:
        of = f" of {self._target}" if self._target else ""
        return NoRunError(f"The journal {self._path} holds no run{of} yet.", hint=_START)

    def _look_at_file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs, a hundred at most.

        Raises:
            JournalError: The journal cannot be read.
        """
        try:
            return [info.as_dict() for info in history(self._path, _RUNS, target=self._target)]
        except EmptyError:
            return []

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Nothing in this process changes when another one records."""
        return lambda: None

    def close(self) -> None:
        """Release the journal."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        follower, self._follower = self._follower, None
        connection, self._connection = self._connection, None
        if follower is not None:
            follower.close()
        if connection is not None:
            connection.close()


_START = "A run is shown as soon as somebody starts one: milo run."
