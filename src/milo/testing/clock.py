"""FakeClock: time that passes only when a test says so."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

from milo.clock import Timer
from milo.errors import StateError

__all__ = ["FakeClock"]


class FakeClock:
    """A Clock whose time stands still until `advance`.

    What is due is called on the thread that advances, in order of time and then of arrival. For one thread.

    Args:
        start: Monotonic seconds at the beginning.
        epoch: What `time()` says at the beginning, in seconds since the epoch.
    """

    def __init__(self, start: float = 0.0, epoch: float = 1_700_000_000.0) -> None:
        self._now = float(start)
        self._offset = epoch - start
        self._due: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now + self._offset

    def call_at(self, due: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(due, callback)
        heapq.heappush(self._due, (due, next(self._count), timer))
        return timer

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call `callback` here and now: a test sees its effects when the dispatch that caused it returns."""
        callback()

    def close(self) -> None:
        self._due.clear()

    def advance(self, seconds: float = 0.0) -> None:
        """Let `seconds` pass and call everything that falls due on the way, each at its own time."""
        if not math.isfinite(seconds) or seconds < 0:
            raise StateError(f"Time passes forwards by a finite number of seconds, got {seconds!r}.")
        end = self._now + seconds
        while (due := self.next_due()) is not None and due <= end:
            self._fire_next()
        # What was called may have let more time pass than this.
        self._now = max(self._now, end)

    def advance_to_next(self) -> bool:
        """Let time pass until the next call is due, and make it; False when nothing is due any more."""
        if self.next_due() is None:
            return False
        self._fire_next()
        return True

    def next_due(self) -> float | None:
        """When the next call is due; None when nothing is."""
        while self._due and self._due[0][2].cancelled:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _fire_next(self) -> None:
        due, _, timer = heapq.heappop(self._due)
        self._now = max(self._now, due)
        timer.fire()
