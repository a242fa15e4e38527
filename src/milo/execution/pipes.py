"""Pipes: what a command writes to its two outputs, read live, and how its end is waited for meanwhile."""

from __future__ import annotations

import os
import select
import selectors
import sys
import threading
from contextlib import suppress
from typing import Protocol

from milo.log import log

__all__ = ["Output", "Pipes", "Unheard", "exit_notice", "has_exited"]

_CHUNK = 65536


class Output(Protocol):
    """Who takes what a command writes."""

    def take(self, stream: str, data: bytes) -> None:
        """Take what was written to "stdout" or "stderr"; nothing (``b""``) at its end."""

    def settle(self) -> None:
        """The command has ended, though a process that it started may go on writing."""


class Unheard:
    """Lets everything go, so that the command is not held up."""

    def take(self, stream: str, data: bytes) -> None:
        """Nobody wants it."""

    def settle(self) -> None:
        """Nothing was kept."""


class Pipes:
    """The reading ends of a command's outputs, and the writing ends until it has them.

    Attributes:
        writing: What the command gets as its stdout and stderr.
    """

    def __init__(self) -> None:
        self.writing: list[int] = []
        self._selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)()
        self._handed_over = False
        try:
            for stream in ("stdout", "stderr"):
                read, write = os.pipe()
                self.writing.append(write)
                self._selector.register(read, selectors.EVENT_READ, stream)
                os.set_blocking(read, False)
        except BaseException:
            self.started()
            self.close()
            raise

    def started(self) -> None:
        """The command has its ends, or never will: without ours, the end of the last writer is seen."""
        while self.writing:
            os.close(self.writing.pop())

    def close(self) -> None:
        """Give up reading."""
        for key in list(self._selector.get_map().values()):
            self._end(key.fd)
        self._selector.close()

    def read_until(self, notice: int, output: Output) -> None:
        """Hand over what comes, as it comes, until the descriptor `notice` is ready."""
        self._selector.register(notice, selectors.EVENT_READ)
        try:
            while True:
                ready = [key for key, _ in self._selector.select()]
                for key in ready:
                    if key.fd != notice:
                        self._read(key, output)
                if any(key.fd == notice for key in ready):
                    return
        finally:
            self._selector.unregister(notice)

    def read_rest(self, output: Output) -> None:
        """Hand over what is in the pipes already: not more than fits, so that nobody who writes on can hold us."""
        if self._handed_over:
            return
        for key in list(self._selector.get_map().values()):
            left = _capacity(key.fd)
            while left > 0 and (size := self._read(key, output)):
                left -= size

    def go_on(self, output: Output) -> None:
        """Leave what is still open to a thread, so that whoever writes there is neither held up nor killed."""
        if self._handed_over:
            return
        self._handed_over = True
        if not self._selector.get_map():
            self.close()
            return
        try:
            threading.Thread(target=self._read_on, args=(output,), name="milo-output", daemon=True).start()
        except RuntimeError:
            log.warning("No thread could be started: the output of processes left behind is not read.")
            self.close()

    def _read_on(self, output: Output) -> None:
        try:
            while self._selector.get_map():
                for key, _ in self._selector.select():
                    try:
                        self._read(key, output)
                    except Exception:  # noqa: BLE001 - whoever writes there must not be held up by it
                        log.exception("The output of a process that a command left behind could not be shown")
                        output = Unheard()
        finally:
            self.close()

    def _read(self, key: selectors.SelectorKey, output: Output) -> int:
        """Hand over what one pipe has, as far as a chunk takes it; returns its size in bytes."""
        try:
            data = os.read(key.fd, _CHUNK)
        except BlockingIOError:
            return 0
        if not data:
            self._end(key.fd)
        output.take(key.data, data)
        return len(data)

    def _end(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)


def _capacity(pipe: int) -> int:
    import fcntl

    get_size = getattr(fcntl, "F_GETPIPE_SZ", None)
    return _CHUNK if get_size is None else fcntl.fcntl(pipe, get_size)


def exit_notice(pid: int) -> int:
    """A descriptor that is ready to be read when a child has ended; it does not reap it, and is to be closed."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        # Not on this system, or forbidden: a thread waits.
        read, write = os.pipe()
    try:
        threading.Thread(target=_close_at_exit, args=(pid, write), name="milo-exit", daemon=True).start()
    except BaseException:
        os.close(read)
        os.close(write)
        raise
    return read


def has_exited(notice: int, within_s: float) -> bool:
    """Wait at most so many seconds for the end that an `exit_notice` tells of; returns whether it has come."""
    poll = select.poll()
    poll.register(notice, select.POLLIN)
    return bool(poll.poll(max(0.0, within_s) * 1000))


def _close_at_exit(pid: int, write: int) -> None:
    try:
        with suppress(ProcessLookupError, ChildProcessError):  # it has ended, or somebody else has reaped it
            _wait_for_exit(pid)
    finally:
        os.close(write)


def _wait_for_exit(pid: int) -> None:
    """Wait for the end of a child without reaping it."""
    if sys.platform == "darwin":
        queue = select.kqueue()
        ending = select.kevent(
            pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT
        )
        with queue:
            queue.control([ending], 1)
    else:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
