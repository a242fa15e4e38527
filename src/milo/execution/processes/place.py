"""Processes as a place: workers that are kept from phase to phase, as many as attempts run at once."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from milo.errors import PipelineError, StateError
from milo.execution.placement import Work
from milo.execution.processes.handle import NotTakenError, Worker
from milo.execution.program import main_is_lost, refuse_while_importing_main
from milo.execution.remote import in_words, opened_outcome, packed_errand
from milo.saga.ports import Job

__all__ = ["ProcessPlace", "check_picklable"]

_CLOSE_S = 1.0


class ProcessPlace:
    """Worker processes, started when there is work for them, at most as many as attempts run at once."""

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise StateError(
                "Worker processes of milo's own are not supported on Windows.",
                hint="Use threads, or executor=concurrent.futures.ProcessPoolExecutor().",
            )
        refuse_while_importing_main()
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._at: dict[Job, Worker] = {}
        self._closed = False

    def check(self, name: str, handler: Callable[..., Any]) -> None:
        """Raise PipelineError if the handler cannot be sent to a process."""
        check_picklable(name, handler)

    def run(self, work: Work, job: Job) -> Any:
        """Run an attempt in a worker and wait for it."""
        errand = packed_errand(work, job, pickle.dumps, "a process")
        while True:
            worker = self._take(job)
            try:
                outcome = worker.run(work, job, errand)
                break
            except NotTakenError:
                continue  # it has died while it was idle, which is nobody's failure
            finally:
                self._give_back(worker, job)
        return opened_outcome(work.name, outcome)

    def abandon(self, job: Job) -> None:
        """Kill its process, if whoever attends to it has not: it may be held up by what it does with a line."""
        with self._lock:
            worker = self._at.get(job)
            if worker is not None:
                worker.kill()

    def close(self) -> None:
        """Let idle workers end, and kill the others."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all.difference(idle)
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.let_go()
        until = time.monotonic() + _CLOSE_S
        for worker in idle:
            worker.end(until)

    def _take(self, job: Job) -> Worker:
        with self._lock:
            if self._closed:
                raise StateError("The run has ended.")
            if self._idle:
                worker = self._at[job] = self._idle.pop()
                return worker
        worker = Worker()
        with self._lock:
            self._all.add(worker)
            self._at[job] = worker
            unwanted = self._closed or job.dropped
        if unwanted:
            worker.kill()
        return worker

    def _give_back(self, worker: Worker, job: Job) -> None:
        with self._lock:
            del self._at[job]
            if worker.usable and not self._closed:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.end()


def check_picklable(name: str, handler: Callable[..., Any], *, forks: bool = False) -> None:
    """Raise PipelineError if a handler cannot be pickled, or cannot be found again in another process.

    Args:
        name: The phase's.
        handler: Its handler.
        forks: Whether that process may be a fork of this one, which has the main module without loading it.
    """
    try:
        packed = pickle.dumps(handler)
    except Exception as reason:
        raise PipelineError(
            f"The handler of phase {name!r} cannot be sent to a process: {in_words(reason)}.",
            hint='Define it at the top level of a module, or give the phase runs_on="thread".',
        ) from reason
    if b"__main__" not in packed or (forks and hasattr(sys.modules["__main__"], "__file__")):
        return
    if lost := main_is_lost():
        raise PipelineError(
            f"The handler of phase {name!r} cannot be sent to a process: {lost}.",
            hint='Define it in a module that can be imported, or give the phase runs_on="thread".',
        )
