"""News: what whoever waits for a run is woken by, from other threads and by signals."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import threading
import time

__all__ = ["News"]


class _MainPipe:
    """Where the main thread sleeps. One for the process and never closed, so that a late writer meets no other file."""

    def __init__(self) -> None:
        self.ends: tuple[int, int] | None = None

    def open(self) -> tuple[int, int]:
        """The reading and the writing end."""
        if self.ends is None:
            reader, writer = os.pipe()
            os.set_blocking(reader, False)
            os.set_blocking(writer, False)
            self.ends = reader, writer
        return self.ends

    def wake(self) -> None:
        """Wake the main thread if it sleeps here, and once for nothing if it does not."""
        if self.ends is not None:
            # Full: it is awake already.
            with contextlib.suppress(BlockingIOError):
                os.write(self.ends[1], b"\0")

    def forget(self) -> None:
        """After a fork: the pipe is the parent's, and a child that read from it would take its wake-ups away."""
        if self.ends is not None:
            for end in self.ends:
                os.close(end)
            self.ends = None


_main_pipe = _MainPipe()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_main_pipe.forget)


class News:
    """Messages for one waiting thread. `put` is safe from any thread and from a signal handler.

    A lock is not enough for the main thread: a signal that comes just before it goes to sleep there would be served
    only when something else wakes it. The interpreter writes to a pipe at each signal, and the main thread sleeps on
    that pipe.
    """

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._main_waits = False

    def put(self, message: object) -> None:
        """Leave a message and wake whoever waits for one."""
        self._messages.put(message)
        if self._main_waits:
            _main_pipe.wake()

    def get(self, timeout: float | None) -> object:
        """Wait for a message.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            queue.Empty: None came in time.
        """
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or not hasattr(
            select, "poll"
        ):  # Windows has none, and wakes its main thread by itself
            return self._messages.get(timeout=timeout)
        reader, writer = _main_pipe.open()
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._main_waits = True
        try:
            return self._get_awake(reader, timeout)
        finally:
            self._main_waits = False
            signal.set_wakeup_fd(before)

    def _get_awake(self, reader: int, timeout: float | None) -> object:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            # Looked at first: a message may have come before this thread said that it waits.
            with contextlib.suppress(queue.Empty):
                return self._messages.get_nowait()
            left_s = None if until is None else max(0.0, until - time.monotonic())
            if not poll.poll(None if left_s is None else 1000 * left_s):
                return self._messages.get_nowait()
            with contextlib.suppress(BlockingIOError):
                os.read(reader, 4096)
