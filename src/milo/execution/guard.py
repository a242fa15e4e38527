"""The guard: a small process that ends the commands of this one when this one is killed."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

from milo.execution import guard_process
from milo.log import log

if TYPE_CHECKING:
    import subprocess

__all__ = ["Guard", "guard", "hurry"]

_MAX_STARTS = 5
_LOADER_VARIABLES = ("LD_", "DYLD_")


class Guard:
    """Knows the groups of this process's commands, and tells a process of its own that outlives this one.

    That process holds the reading end of a pipe. The only other end is here, so that the system itself tells it when
    this process is gone, however it went.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[int, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        # Stays the same number as long as this process lives: a command that is being started may use it.
        self._pipe: int | None = None
        self._starts = 0
        self._warned = False

    def descriptor(self) -> int | None:
        """The pipe's writing end, for a command that registers itself; None where there is no guard.

        Starts the guard if it does not run.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._pipe if self._process is not None else None

    def add(self, group: int, *, told: bool = False) -> None:
        """A command was started that leads this group; `told` says that it has registered itself."""
        if told:
            with self._lock:
                self._marks[group] = "+"
        else:
            self._tell(group, "+")

    def leave(self, group: int) -> None:
        """The leader of this group was reaped, but others of it go on."""
        self._tell(group, "~")

    def remove(self, group: int) -> None:
        """Nobody of this group is left."""
        self._tell(group, "-")

    def hurry(self) -> None:
        """Let the guard kill at once when this process ends. Takes no lock: a signal handler may call it."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):  # no guard, nobody to hurry
                os.write(self._pipe, b"!\n")

    def forget(self) -> None:
        """Drop everything: after a fork the commands and the guard are the parent's."""
        if self._pipe is not None:
            os.close(self._pipe)
        self._reset()  # the lock too: a thread that only the parent has may hold it

    def _tell(self, group: int, mark: str) -> None:
        with self._lock:
            if mark == "-":
                self._marks.pop(group, None)
            else:
                self._marks[group] = mark
            if self._process is None or self._pipe is None:
                return
            try:
                os.write(self._pipe, f"{mark}{group}\n".encode())
            except OSError:
                # It has died, or does not read any more: another one is told everything.
                self._start()

    def _start(self) -> None:
        """Start a guard and tell it of every group; with the lock held."""
        if self._process is not None:
            self._warn("has ended or does not answer; another one takes its place")
            # If it only slept, it would take the end of its pipe for the end of this process.
            self._process.kill()
            self._process.wait()
        self._process = None
        program = _program()
        if program is None or self._starts >= _MAX_STARTS:
            self._warn("cannot be started here")
            return
        self._starts += 1
        try:
            read, write = os.pipe()
        except OSError as error:
            self._warn(f"could not be started ({error})")
            return
        try:
            self._process = _launched(program, read)
            self._connect(write)
            for group, mark in self._marks.items():
                os.write(write, f"{mark}{group}\n".encode())
        except OSError as error:
            self._process = None
            self._warn(f"could not be started ({error})")
        finally:
            os.close(read)
            os.close(write)

    def _connect(self, write: int) -> None:
        """Make the writing end the one that commands and `hurry` use."""
        import fcntl

        # A guard that was stopped must not stop this process as well.
        os.set_blocking(write, False)
        if self._pipe is None:
            # Not 0, 1 or 2, which a process that was started with them closed would print to.
            self._pipe = fcntl.fcntl(write, fcntl.F_DUPFD_CLOEXEC, 3)
        else:
            os.dup2(write, self._pipe, inheritable=False)

    def _warn(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "The guard process %s. Without one, commands go on when this process is killed by SIGKILL.",
                what,
            )


def _launched(program: list[str], read: int) -> subprocess.Popen[bytes]:
    """Start the guard's program with the reading end of its pipe."""
    # Imported here: every run has a guard that it could tell, and few start commands.
    import subprocess

    class Outliving(subprocess.Popen[bytes]):
        def __del__(self) -> None:
            """Outlives this process on purpose, and needs no warning for it."""

    return Outliving(
        program,
        stdin=read,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name.startswith(_LOADER_VARIABLES)},
        start_new_session=True,
    )


def _program() -> list[str] | None:
    """The guard's command line; None where this process's own executable is no Python interpreter."""
    path = guard_process.__file__
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    return [sys.executable, "-I", "-S", os.path.abspath(path)] if os.path.isfile(path) else None


guard = Guard()
"""The guard of this process."""


def hurry() -> None:
    """Let the guard kill at once when this process ends; for a signal handler that ends it."""
    guard.hurry()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=guard.forget)
