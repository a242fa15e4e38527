"""A Dask cluster of the run's own: a scheduler in this process, and worker processes that are started as needed."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pickle
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from distributed import Scheduler, Security

from milo.errors import StateError
from milo.execution.dask.source import Lease
from milo.execution.exits import exit_reason, exit_words
from milo.execution.guard import guard
from milo.execution.guard_process import kill_sessions
from milo.execution.pipes import exit_notice
from milo.execution.placement import WorkerError
from milo.execution.program import program_here, start_process
from milo.execution.scratch import Scratch

__all__ = ["LocalSource"]

_MODULE = "milo.execution.dask.process"


class LocalSource:
    """Each task gets a process of its own, which is ended with it.

    Args:
        most: How many processes there are at once.
    """

    idle_s = None
    turn_s = float("inf")
    start_s: float | None = 60.0

    def __init__(self, most: int) -> None:
        self.most = most
        # Without certificates whoever has an account on this machine could have code run as this user.
        secure = importlib.util.find_spec("cryptography") is not None
        security: Any = Security
        self.security = security.temporary() if secure else security(require_encryption=False)
        self._scratch: Scratch | None = None
        self._folder = ""
        self._numbers = itertools.count(1)
        self._processes: set[_Process] = set()
        self._scheduler: Any = None

    async def start(self) -> str:
        """Start the scheduler; returns its address. Raises StateError if that is not possible."""
        try:
            self._scratch = Scratch("milo-dask-")
            self._folder = self._scratch.path
            return await self._started()
        except OSError as error:
            raise StateError(
                f"A Dask cluster cannot be started: {error.strerror or error}.",
                hint="It needs a folder for temporary files (TMPDIR names another), and a port of this machine.",
            ) from error

    async def _started(self) -> str:
        # Known before it is awaited: if that is called off, it is closed all the same.
        self._scheduler = Scheduler(
            host="127.0.0.1",
            port=0,
            protocol="tls" if self.security.require_encryption else "tcp",
            security=self.security,
            dashboard=False,
            dashboard_address="127.0.0.1:0",
            allowed_failures=0,
            local_directory=self._folder,
        )
        await self._scheduler
        return str(self._scheduler.address)

    def open(self, key: str, lost: Callable[[WorkerError], None]) -> tuple[Any, dict[str, Any]]:
        """Start a process for a task."""
        name = f"worker-{next(self._numbers)}"
        told = {
            "scheduler": self._scheduler.address,
            "security": self.security,
            "name": name,
            "folder": self._folder,
            "program": program_here(name),
        }
        try:
            process = _Process(told, os.path.join(self._folder, f"{name}.err"))
        except OSError as error:
            raise WorkerError(
                f"A Dask worker process cannot be started: {error.strerror or error}."
            ) from error
        self._processes.add(process)
        process.watch(lambda: lost(process.not_started()))
        return process, {"resources": {name: 1}}

    def dropped(self, lease: Lease) -> None:
        """End its process."""
        lease.process.kill()
        self._processes.discard(lease.process)

    def failed(self, lease: Lease) -> tuple[str, str]:
        """How its process has ended."""
        return exit_words(lease.process.status), exit_reason(lease.process.status)

    def kill(self, lease: Lease) -> None:
        """Kill the process of an attempt, with all that it has started."""
        lease.process.kill()

    async def close(self) -> None:
        """End everything."""
        try:
            for process in list(self._processes):
                process.kill()
            if self._scheduler is not None:
                await self._scheduler.close()
        finally:
            # Also where this takes so long that it is called off.
            if self._scratch is not None:
                self._scratch.remove()


class _Process:
    """A worker process. For the loop's thread alone.

    Attributes:
        status: Its exit status, once it has ended.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, told: dict[str, Any], errors: str) -> None:
        self._errors = errors
        ours, theirs = socket.socketpair()
        real = os.dup(2)
        try:
            with open(errors, "wb") as stderr:
                self._process = start_process(
                    _MODULE, theirs.fileno(), stdout=None, stderr=stderr, descriptors=(real,)
                )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(real)
        self.pid = self._process.pid
        guard.descriptor()
        guard.add(self.pid)
        self._exit = exit_notice(self.pid)
        self.status: int | None = None
        self._connection = Connection(ours.detach())
        try:
            self._connection.send_bytes(pickle.dumps({**told, "stderr": real}))
        except OSError:
            return  # it has ended already, which is noticed

    def watch(self, lost: Callable[[], None]) -> None:
        """Call `lost` when it has ended by itself."""
        asyncio.get_running_loop().add_reader(self._exit, self._on_exit, lost)

    def _on_exit(self, lost: Callable[[], None]) -> None:
        # What it has left behind in its session.
        self.kill()
        lost()

    def kill(self) -> None:
        """End it, and whatever is in its session; safe any number of times."""
        if self.status is not None:
            return
        asyncio.get_running_loop().remove_reader(self._exit)
        kill_sessions([self.pid])
        self.status = self._process.wait()
        guard.remove(self.pid)
        os.close(self._exit)
        self._connection.close()

    def not_started(self) -> WorkerError:
        """What to say of one that has ended before it was ready."""
        with open(self._errors, encoding="utf-8", errors="replace") as file:
            lines = file.read().strip().splitlines()
        told = f" It wrote: {lines[-1]}" if lines else ""
        return WorkerError(
            f"A Dask worker process did not start: it {exit_words(self.status or 0)}.{told}",
            hint=f"It is started with {sys.executable!r} and this program's import path.",
        )
