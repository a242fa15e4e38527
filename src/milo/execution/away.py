"""Away: attempts in workers that are somebody else's: what of them is told while they run, and who hears it."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import Any

from milo.execution.lines import current_sink
from milo.execution.placement import Work
from milo.saga.ports import Job

__all__ = ["DROPPED", "Desk", "Trip"]

DROPPED = object()
"""What a trip is told when nobody waits for its outcome any more."""

_LAST_LINES_S = 10.0


class Trip:
    """One attempt on its way, seen from the run.

    Attributes:
        token: Names it in what is told of it.
        news: What whoever waits for it is woken by: `DROPPED`, or whatever its place puts there.
    """

    def __init__(self, token: str, work: Work, job: Job) -> None:
        self.token = token
        self.work = work
        self.job = job
        self.news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lines = 0
        self._more = threading.Condition()

    def line(self, stream: str, line: str) -> None:
        """Take a line of it."""
        # Whoever prints because of a line is not captured: it would feed itself for ever.
        token = current_sink.set(None)
        try:
            self.work.emit(self.job, stream, line)
        finally:
            current_sink.reset(token)
            with self._more:
                self._lines += 1
                self._more.notify_all()

    def wait_for_lines(self, count: int) -> None:
        """Wait until so many lines have come: they may be slower than its outcome."""
        with self._more:
            self._more.wait_for(lambda: self._lines >= count, _LAST_LINES_S)


class Desk:
    """Knows the attempts of a run that are on their way. Every method is for any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = itertools.count(1)
        self._trips: dict[str, Trip] = {}
        self._by_job: dict[Job, Trip] = {}

    def open(self, work: Work, job: Job) -> Trip:
        """An attempt sets out."""
        trip = Trip(f"{self._name}-{next(self._numbers)}", work, job)
        self._trips[trip.token] = trip
        self._by_job[job] = trip
        if job.dropped:
            # Abandoned before it could be found here: to pack what it is given may have taken its time.
            trip.news.put(DROPPED)
        return trip

    def close(self, trip: Trip) -> None:
        """It is back, or lost."""
        self._trips.pop(trip.token, None)
        self._by_job.pop(trip.job, None)

    def find(self, token: str) -> Trip | None:
        """The attempt of that name, if it is on its way."""
        return self._trips.get(token)

    def all(self) -> list[Trip]:
        """Those that are on their way."""
        return list(self._trips.values())

    def abandon(self, job: Job) -> None:
        """Nobody waits for it any more."""
        trip = self._by_job.get(job)
        if trip is not None:
            trip.news.put(DROPPED)
