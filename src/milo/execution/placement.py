"""Placement: which phases run where; a worker thread hands those that run elsewhere to their place and waits there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from milo.errors import MiloError
from milo.execution.coroutines import Coroutines
from milo.execution.threads import ThreadWorkers
from milo.saga.effects import Call
from milo.saga.ports import Job, current_job

__all__ = ["Place", "Placed", "PlacedWorkers", "Work", "WorkerError"]


class WorkerError(MiloError):
    """A phase that runs elsewhere could not be sent there, or its worker ended before it did."""

    code = "worker"


class Work(Protocol):
    """An attempt of a phase, as far as a place has to know it."""

    @property
    def name(self) -> str: ...

    @property
    def number(self) -> int: ...

    @property
    def run_id(self) -> str: ...

    @property
    def handler(self) -> Callable[..., Any]: ...

    @property
    def args(self) -> tuple[Any, ...]: ...

    @property
    def kwargs(self) -> Mapping[str, Any]: ...

    @property
    def capture(self) -> bool: ...

    def __call__(self) -> Any: ...

    def emit(self, job: Job, stream: str, line: str) -> None: ...


class Place(Protocol):
    """Somewhere else where attempts run. Every method is for any thread."""

    def check(self, name: str, handler: Callable[..., Any]) -> None:
        """Raise PipelineError if the handler of the phase `name` cannot be sent there."""

    def run(self, work: Work, job: Job) -> Any:
        """Run an attempt there and wait for it: return what it returned, or raise what it raised.

        Whoever implements it hears through ``job.on_cancel`` that the attempt shall end, and gives its lines to
        ``work.emit``.
        """

    def abandon(self, job: Job) -> None:
        """Nobody takes the outcome of this attempt any more, which has not ended in the time it was given."""

    def close(self) -> None:
        """End what was started for this run, also what is still at work; nobody takes its outcome any more."""


class Placed:
    """An attempt and where it runs: what a worker thread calls in the place of the attempt itself."""

    __slots__ = ("_place", "_work", "name", "number", "run_id")

    def __init__(self, work: Work, place: Place) -> None:
        self._work = work
        self._place = place
        self.name = work.name
        self.number = work.number
        self.run_id = work.run_id

    def __call__(self) -> Any:
        job = current_job.get()
        return self._work() if job is None else self._place.run(self._work, job)

    def abandon(self, job: Job) -> None:
        """Tell the place that nobody waits for it any more."""
        self._place.abandon(job)

    def emit(self, job: Job, stream: str, line: str) -> None:
        """Make a log line of the attempt."""
        self._work.emit(job, stream, line)


class PlacedWorkers(ThreadWorkers):
    """Threads, of which each runs what is its own to run, or waits for a place that does.

    Args:
        workers: How many jobs are under way at once, wherever they run.
        place_of: Tells the place of a phase by its name; None for this process.
        places: Every place, to be closed with this.
        coroutines: Where coroutines of this process are awaited.
    """

    def __init__(
        self,
        workers: int,
        place_of: Callable[[str], Place | None],
        places: tuple[Place, ...],
        *,
        coroutines: Coroutines | None = None,
    ) -> None:
        super().__init__(workers, coroutines=coroutines)
        self._place_of = place_of
        self._places = places

    def submit(self, job: Job) -> None:
        work: Any = job.fn
        # Other sagas' Calls are no attempts, and run here.
        if hasattr(work, "handler"):
            place = self._place_of(work.name)
            if place is not None:
                job.call = Call(Placed(work, place), (), None, job.call.timeout, job.call.linger)
        super().submit(job)

    def abandon(self, job: Job) -> None:
        if isinstance(job.fn, Placed):
            job.fn.abandon(job)
        super().abandon(job)

    def close(self) -> None:
        super().close()
        for place in self._places:
            place.close()
