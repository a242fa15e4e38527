"""The default executor: daemon threads that pull Calls from one queue."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Coroutine
from typing import Any

from milo.execution.coroutines import Coroutines, CoroutineThread
from milo.saga.ports import Job

__all__ = ["ThreadWorkers", "default_workers"]


def default_workers() -> int:
    """How many workers a store has unless told: one a usable processor, at least two."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        usable = os.cpu_count() or 1
    return max(2, usable)


class ThreadWorkers:
    """At most `workers` daemon threads, started when there is work for them.

    A ``ThreadPoolExecutor`` would make a Future with a Condition for every call and join its threads when the process
    ends, so that one stuck handler kept the process alive. Here a worker takes the next job itself, and at most one
    worker that has not looked yet is being woken at any time.

    Args:
        workers: How many jobs run at once.
        coroutines: Where coroutines are awaited; an own thread with a loop by default.
        name: What the threads are called.
    """

    def __init__(
        self, workers: int, *, coroutines: Coroutines | None = None, name: str = "milo-worker"
    ) -> None:
        self.workers = workers
        self._coroutines = coroutines if coroutines is not None else CoroutineThread()
        self._name = name
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()  # guards what follows
        self._idle: list[threading.Lock] = []
        self._threads = 0
        self._abandoned = 0
        self._started = 0
        self._searching = False
        self._closed = False

    @property
    def abandoned(self) -> int:
        return self._abandoned

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wake(self) -> None:
        if not self._jobs or self._searching:
            return
        try:
            self._wake_one()
        except RuntimeError as refused:
            # Nobody will ever take them: whoever waits for them has to hear why.
            while self._jobs:
                job = self._jobs.popleft()
                job.host.complete(job, None, refused, carry=False)

    def _wake_one(self) -> None:
        with self._lock:
            if self._closed or self._searching or not self._jobs:
                return
            if self._idle:
                self._searching = True
                self._idle.pop().release()
            elif self._threads - self._abandoned < self.workers:
                self._start_thread()

    def _start_thread(self) -> None:
        """Start one more worker; with the lock held. Raises RuntimeError when the system refuses the first."""
        self._searching = True
        self._threads += 1
        self._started += 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._searching = False
            self._threads -= 1
            if self._threads == self._abandoned:
                raise
            # Those that run already have to do: they look at the queue when they are done.

    def run_coroutine(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutines.run(job, coroutine)

    def abandon(self, job: Job) -> None:
        with self._lock:
            self._abandoned += 1
        self.wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._jobs.clear()
            while self._idle:
                self._idle.pop().release()
        self._coroutines.close()

    def _work(self) -> None:
        seat = threading.Lock()
        seat.acquire()
        jobs = self._jobs
        woken = True
        while not self._closed:
            if woken:
                # Before the look: a job that comes after it finds nobody searching, and wakes another.
                self._searching = False
            try:
                job = jobs.popleft()
            except IndexError:
                woken = self._rest(seat)
                continue
            woken = False
            if jobs:
                self.wake()
            job.run()
            if job.cancelled and not self._keep_after(job):
                # It may have advanced sagas on its way back: the Calls they made are for others to find.
                self.wake()
                return
        with self._lock:
            self._threads -= 1

    def _rest(self, seat: threading.Lock) -> bool:
        """Wait for work; returns whether somebody woke this worker."""
        with self._lock:
            if self._closed:
                return False
            self._idle.append(seat)
        if self._jobs:
            # It came between the last look and the registration.
            with self._lock:
                if seat in self._idle:
                    self._idle.remove(seat)
                    return False
            # Somebody has taken this seat off the list: that wake-up is on its way and has to be used up.
        seat.acquire()
        return True

    def _keep_after(self, job: Job) -> bool:
        """Whether this thread goes on after a job that was abandoned while it ran, or another took its place."""
        if not job.was_abandoned():
            return True
        with self._lock:
            self._abandoned -= 1
            if self._threads - self._abandoned > self.workers:
                self._threads -= 1
                return False
        return True
