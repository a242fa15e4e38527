"""Who is at work on a run: a file locked through the operating system, which releases it when its process is gone.

A lock of the whole open file (`flock`), not of the process: another part of the program that opens and closes the
file cannot release it, and a child of a fork closes its copy at once, so that no orphan keeps the run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from milo.file_lock import try_lock
from milo.journal.errors import HeldError, explained
from milo.journal.faults import reached
from milo.journal.location import locks_folder, safe_name

__all__ = ["Holder", "RunLock", "holder_of", "is_locked", "journal_lock"]

_TRIES: Final = 20
_PAUSE_S: Final = 0.005
_OPENING: Final = "_opening"
_OPENING_S: Final = 30.0
_CLOSE_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0)

_held: Final[set[int]] = set()  # descriptors that a child of a fork has to close


def _after_fork() -> None:
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Holder(NamedTuple):
    """Who is at work on a run; pid 0 and host "" where it is not known."""

    pid: int
    host: str

    def __str__(self) -> str:
        place = f" on {self.host}" if self.host and self.host != socket.gethostname() else ""
        return f"process {self.pid}{place}" if self.pid else "another process"


def _locked(path: Path) -> int | None:
    """Open the file and lock it at once: its descriptor, or None if somebody else has it.

    Raises:
        OSError: It cannot be opened or made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _CLOSE_ON_EXEC, 0o666)
        _held.add(descriptor)
        try:
            if not try_lock(descriptor):
                _close(descriptor)
                return None
            # Whoever had it before may have removed the file in between: then this lock would keep nobody away.
            if _same_file(descriptor, path):
                return descriptor
        except BaseException:
            _close(descriptor)
            raise
        _close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _close(descriptor: int) -> None:
    _held.discard(descriptor)
    os.close(descriptor)


class RunLock:
    """The right to write to a run, for as long as this process lives.

    Args:
        journal: The journal's file.
        run: The run's name.

    Raises:
        HeldError: Another process, or another part of this one, has it.
        JournalError: The file of the lock cannot be made.
    """

    def __init__(self, journal: Path, run: str) -> None:
        self._path = locks_folder(journal) / safe_name(run)
        try:
            self._path.parent.mkdir(exist_ok=True)
            descriptor = _locked(self._path)
            for _ in range(_TRIES):
                if descriptor is not None:
                    break
                # Somebody who only looks has it for a moment; whoever works has it for long.
                time.sleep(_PAUSE_S)
                descriptor = _locked(self._path)
        except OSError as error:
            raise explained(error, self._path, "locked") from None
        if descriptor is None:
            holder = _named_in(self._path)
            raise HeldError(
                f"Run {run} is being run by {holder}.",
                hint="Wait for it, or end that process; nothing has to be unlocked.",
                pid=holder.pid,
                host=holder.host,
            )
        self._descriptor: int | None = descriptor
        reached("lock taken")
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
        except OSError as error:
            self.release()
            raise explained(error, self._path, "written") from None
        reached("holder named")

    def release(self) -> None:
        """Let others work on the run; safe any number of times."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None or descriptor not in _held:
            return
        # While it is locked, so that nobody's new file of the same name is removed.
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        _close(descriptor)
        reached("lock released")


def _named_in(path: Path) -> Holder:
    try:
        pid, _, host = path.read_text("utf-8", "replace").partition(" ")
        return Holder(int(pid), host.strip())
    except (OSError, ValueError):
        return Holder(0, "")


def holder_of(journal: Path, run: str) -> Holder | None:
    """Who is at work on a run just now; None when nobody is. It is only looked, nothing is made or kept."""
    path = locks_folder(journal) / safe_name(run)
    return _named_in(path) if is_locked(path) else None


def is_locked(path: Path) -> bool:
    """Whether somebody has locked a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _CLOSE_ON_EXEC)
    except OSError:
        return False
    _held.add(descriptor)
    try:
        return not try_lock(descriptor)
    except OSError:
        return False
    finally:
        _close(descriptor)


@contextlib.contextmanager
def journal_lock(journal: Path) -> Iterator[None]:
    """Keep others from making, recovering or clearing up the same journal meanwhile.

    Raises:
        HeldError: Somebody keeps it for too long.
        JournalError: The file of the lock cannot be made.
    """
    path = locks_folder(journal) / _OPENING
    give_up = time.monotonic() + _OPENING_S
    try:
        path.parent.mkdir(exist_ok=True)
        while (descriptor := _locked(path)) is None:
            if time.monotonic() >= give_up:
                raise HeldError(
                    f"The journal {journal} is being opened by another process for {_OPENING_S:g} s."
                )
            time.sleep(_PAUSE_S)
    except OSError as error:
        raise explained(error, path, "locked") from None
    try:
        yield
    finally:
        _close(descriptor)
