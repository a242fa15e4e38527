"""News: what whoever waits for a run is woken by, from other threads and by signals."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import threading
from collections.abc import Iterator

__all__ = ["News"]


class News:
    """Messages for one waiting thread. `put` is safe from any thread and from a signal handler.

    A lock is not enough for the main thread: a signal that comes just before it goes to sleep there would be served
    only when something else wakes it. The interpreter writes to a socket at each signal, and the main thread sleeps
    on that socket.
    """

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._wake: socket.socket | None = None

    def put(self, message: object) -> None:
        """Leave a message and wake whoever waits for one."""
        self._messages.put(message)
        wake = self._wake
        if wake is not None:
            # Full: it is awake. Closed: it has gone.
            with contextlib.suppress(OSError):
                wake.send(b"\0")

    def get(self, timeout: float | None) -> object:
        """Wait for a message.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            queue.Empty: None came in time.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._messages.get(timeout=timeout)
        with self._woken_by_signals() as reader:
            # It may have come before there was a socket to write to.
            with contextlib.suppress(queue.Empty):
                return self._messages.get_nowait()
            reader.settimeout(timeout)
            while True:
                try:
                    reader.recv(4096)
                except (TimeoutError, BlockingIOError):
                    raise queue.Empty from None
                # Nothing is there after a signal whose handler left no message here.
                with contextlib.suppress(queue.Empty):
                    return self._messages.get_nowait()

    @contextlib.contextmanager
    def _woken_by_signals(self) -> Iterator[socket.socket]:
        reader, self._wake = socket.socketpair()
        writer = self._wake
        try:
            writer.setblocking(False)
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            try:
                yield reader
            finally:
                signal.set_wakeup_fd(before)
        finally:
            self._wake = None
            reader.close()
            writer.close()
