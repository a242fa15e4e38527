"""VirtualExecutor: Calls that take the time they are told to, without threads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from milo.saga.ports import Job
from milo.testing.clock import FakeClock

__all__ = ["VirtualExecutor"]


class VirtualExecutor:
    """Runs Calls on the thread that advances the clock, each when its duration has passed.

    Args:
        clock: Whose time it is.
        duration_s: Tells how many seconds a call takes; it is given the function that is called.
        workers: How many calls are under way at once.
    """

    def __init__(
        self,
        clock: FakeClock,
        duration_s: Callable[[Callable[..., Any]], float] | None = None,
        workers: int = 2,
    ) -> None:
        self.workers = workers
        self.abandoned = 0
        self._clock = clock
        self._duration_s = duration_s or (lambda fn: 0.0)
        self._jobs: deque[Job] = deque()
        self._busy: set[Job] = set()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wake(self) -> None:
        while self._jobs and len(self._busy) < self.workers:
            job = self._jobs.popleft()
            if not job.cancelled:
                self._busy.add(job)
                job.on_cancel(lambda job=job: self._busy.discard(job))  # type: ignore[misc]
                due = self._clock.now() + self._duration_s(job.fn)
                self._clock.call_at(due, lambda job=job: self._finish(job))  # type: ignore[misc]

    def _finish(self, job: Job) -> None:
        if job in self._busy:
            self._busy.discard(job)
            job.run()
            self.wake()

    def run_coroutine(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await `coroutine` to its end in a thread: the thread that advances may have an event loop already."""
        outcome: list[Any] = []

        async def guarded() -> None:
            try:
                outcome.append((await coroutine, None))
            except BaseException as error:  # noqa: BLE001 - it belongs to the saga that asked
                outcome.append((None, error))

        thread = threading.Thread(target=lambda: asyncio.run(guarded()))
        thread.start()
        thread.join()
        job.deliver(*outcome[0])

    def abandon(self, job: Job) -> None:
        """Nothing is held by a call that has been cancelled."""

    def close(self) -> None:
        self._jobs.clear()
        self._busy.clear()
