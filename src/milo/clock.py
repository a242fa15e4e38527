"""Time as a port: what the time is, and calling something later."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

from milo.log import log

__all__ = ["Clock", "SystemClock", "Timer"]


class Timer:
    """A call that is due at a time and can be cancelled until then."""

    __slots__ = ("_callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Drop the call if it has not been made; safe from any thread and any number of times."""
        self._callback = None

    @property
    def cancelled(self) -> bool:
        return self._callback is None

    def fire(self) -> None:
        """Make the call once, unless it was cancelled. Only a clock calls this."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Clock(Protocol):
    """What milo asks of time; SystemClock is real, `milo.testing.FakeClock` is driven by hand."""

    def now(self) -> float:
        """Monotonic seconds."""

    def time(self) -> float:
        """Seconds since the epoch, for people to read."""

    def call_at(self, due: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when `now()` reaches `due` (at once if it has), never in the caller's turn."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call `callback` as soon as possible from a thread that may run sagas, never the main thread."""

    def close(self) -> None:
        """Drop all calls that are still due and end the thread that makes them."""


class SystemClock:
    """The real clock: one daemon thread, started on first use, makes the calls that are due.

    Thread-safe. The thread sleeps until the next call is due or a new one arrives; it never polls, and
    a call that raises is logged and does not stop the others.
    """

    now = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def __init__(self, name: str = "milo-clock") -> None:
        self._name = name
        self._changed = threading.Condition(threading.Lock())
        self._soon: list[Callable[[], None]] = []
        self._due: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._compact_at = 64
        self._thread: threading.Thread | None = None
        self._closed = False

    def call_at(self, due: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(due, callback)
        with self._changed:
            if self._closed:
                timer.cancel()
                return timer
            if len(self._due) >= self._compact_at:
                self._drop_cancelled()
            first = not self._due or due < self._due[0][0]
            heapq.heappush(self._due, (due, next(self._count), timer))
            self._start()
            if first:
                self._changed.notify()
        return timer

    def call_soon(self, callback: Callable[[], None]) -> None:
        with self._changed:
            if self._closed:
                return
            self._soon.append(callback)
            self._start()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._soon.clear()
            self._due.clear()
            self._changed.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not (calls := self._take()):
                    if self._closed:
                        return
                    self._changed.wait(self._wait_s())
            for call in calls:
                try:
                    call()
                except Exception:  # noqa: BLE001 - one broken call must not stop the others
                    log.exception("A call that was due on the clock failed; the others go on")

    def _take(self) -> list[Callable[[], None]]:
        """Take everything that is due now; called with the lock held."""
        calls, self._soon = self._soon, []
        now = self.now()
        while self._due and (self._due[0][0] <= now or self._due[0][2].cancelled):
            timer = heapq.heappop(self._due)[2]
            if not timer.cancelled:
                calls.append(timer.fire)
        return calls

    def _drop_cancelled(self) -> None:
        # Limits that were not reached would otherwise stay until they are due; doubling keeps it O(1) a call.
        self._due = [entry for entry in self._due if not entry[2].cancelled]
        heapq.heapify(self._due)
        self._compact_at = max(64, 2 * len(self._due))

    def _wait_s(self) -> float | None:
        return min(max(0.0, self._due[0][0] - self.now()), threading.TIMEOUT_MAX) if self._due else None
