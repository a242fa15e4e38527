"""The run that this server has started: its process, and what the journal tells of it meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from milo.journal import EmptyError, Follower, JournalError, open_reader
from milo.journal.errors import explained
from milo.journal.run_rows import run_rows
from milo.views.mcp.journal_source import looked
from milo.views.mcp.launcher import Launched
from milo.views.mcp.look import Look

__all__ = ["OwnRun", "newest_number"]

_PERIOD_S: Final = 0.1


def newest_number(path: Path) -> int:
    """The number of the newest run that a journal holds; 0 where it holds none. Raises JournalError."""
    try:
        connection = open_reader(path)
    except EmptyError:
        return 0
    try:
        return next((row.number for row in run_rows(connection)), 0)
    except sqlite3.Error as error:
        raise explained(error, path, "read") from None
    finally:
        connection.close()


class OwnRun:
    """One run, from the start of its process to its end.

    Args:
        launched: Its process.
        path: The journal that it records in.
        after: The number of the run that was the newest before; its own is greater, unless it goes on with `name`.
        name: The run that it goes on with; "" for a new one.
    """

    def __init__(self, launched: Launched, path: Path, after: int, name: str = "") -> None:
        self.launched = launched
        self.name = name
        self.look: Look | None = None
        """How it stands; None as long as the journal does not know it."""
        self.exit_status: int | None = None
        """Of its process; None as long as that works."""
        self._path = path
        self._after = after
        self._follower: Follower | None = None
        self._moved = anyio.Event()
        self._ended = anyio.Event()

    async def attend(self) -> None:
        """Follow it to the end of its process, and end that when cancelled."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow)
                status = await self.launched.wait()
                group.cancel_scope.cancel()
            await self._poll()
            self.exit_status = status
        finally:
            with anyio.CancelScope(shield=True):
                await self.launched.end()
            if self._follower is not None:
                self._follower.close()
            self._ended.set()
            self._move()

    async def ended(self) -> None:
        """Wait until its process has ended."""
        await self._ended.wait()

    async def after(self, seen: Look | None) -> Look | None:
        """Wait until it stands otherwise than `seen`; returns how, or None when its process has ended before."""
        while True:
            moved = self._moved
            if self.look is not seen:
                return self.look
            if self._ended.is_set():
                return None
            await moved.wait()

    async def _follow(self) -> None:
        while True:
            await self._poll()
            await anyio.sleep(_PERIOD_S)

    async def _poll(self) -> None:
        # Not abandoned when cancelled: the connection is one thread's at a time.
        look, before = await anyio.to_thread.run_sync(self._look), self.look
        if look is None:
            return
        if before is None or look.state is not before.state or look.status != before.status:
            self.look, self.name = look, look.run
            self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def _look(self) -> Look | None:
        try:
            if self._follower is None:
                self._follower = self._found()
            return looked(self._path, self._follower) if self._follower is not None else None
        except (JournalError, sqlite3.Error, OSError):
            # It goes on all the same, and may be readable at the next look; whoever reads the timeline is told why.
            return None

    def _found(self) -> Follower | None:
        """A follower of the run that the process records; None as long as there is none."""
        connection = open_reader(self._path)
        try:
            rows = [row for row in run_rows(connection) if row.number > self._after or row.name == self.name]
        finally:
            connection.close()
        for row in rows:
            follower = Follower(self._path, row.name)
            follower.poll()
            about = follower.replay.about
            if about is not None and about.pid == self.launched.pid:
                return follower
            follower.close()
        return None
