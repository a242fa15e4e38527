"""Futures as a place: any concurrent.futures.Executor, whether its workers are in this process or elsewhere."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from milo.execution.attending import attend
from milo.execution.away import DROPPED, Desk, Trip
from milo.execution.placement import Work, WorkerError
from milo.execution.processes.place import check_picklable
from milo.execution.remote import Errand, errand_of, in_words, opened_outcome, packed_outcome
from milo.execution.switchboard import Address, Switchboard, line_to
from milo.saga.ports import Job, current_job

__all__ = ["FuturesPlace"]


class FuturesPlace:
    """An executor of the user's; it stays open.

    Args:
        executor: Where attempts run.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._desk = Desk(f"{os.getpid()}-{id(self)}")
        self._futures: dict[Job, Future[Any]] = {}
        self._switchboard: Switchboard | None = None
        self._lock = threading.Lock()

    @property
    def usual_workers(self) -> int | None:
        """How many it runs at once, if it tells."""
        most = getattr(self._executor, "_max_workers", None)
        return most if isinstance(most, int) and most > 0 else None

    def check(self, name: str, handler: Callable[..., Any]) -> None:
        """Raise PipelineError if the handler cannot be sent, as far as that is known: of the standard pool it is."""
        if type(self._executor).__module__ == "concurrent.futures.process":
            check_picklable(name, handler, forks=True)

    def run(self, work: Work, job: Job) -> Any:
        """Run an attempt in the executor and wait for it."""
        trip = self._desk.open(work, job)
        try:
            future = self._futures[job] = self._submitted(trip)
            if job.dropped:
                self.abandon(job)
            future.add_done_callback(trip.news.put)
            if trip.news.get() is DROPPED:
                future.cancel()  # it may have been given up before it was known here
                raise WorkerError(f"Phase {work.name!r} was given up.")
            return self._outcome(trip, future)
        finally:
            self._futures.pop(job, None)
            self._desk.close(trip)

    def abandon(self, job: Job) -> None:
        """Nobody waits for it any more: it is not begun after this, but what a pool runs already cannot be ended."""
        self._desk.abandon(job)
        future = self._futures.get(job)
        if future is not None:
            future.cancel()

    def close(self) -> None:
        """Give up what is still there; the executor is its owner's to close."""
        for trip in self._desk.all():
            self.abandon(trip.job)
        with self._lock:
            if self._switchboard is not None:
                self._switchboard.close()

    def address(self) -> Address:
        """Where workers in other processes tell what goes on; opened when the first attempt is sent to one."""
        with self._lock:
            if self._switchboard is None:
                self._switchboard = Switchboard(self._desk)
            return self._switchboard.address

    def _submitted(self, trip: Trip) -> Future[Any]:
        try:
            return self._executor.submit(_Summons(self, trip))
        except Exception as reason:
            raise self._failed(trip.work.name, reason) from reason

    def _outcome(self, trip: Trip, future: Future[Any]) -> Any:
        try:
            outcome = future.result()
        except Exception as reason:
            raise self._failed(trip.work.name, reason) from reason
        if isinstance(outcome, _Here):
            if outcome.error is not None:
                raise outcome.error
            return outcome.value
        packed, (told, lines) = outcome
        trip.wait_for_lines(told)
        for stream, line in lines:
            trip.line(stream, line)
        return opened_outcome(trip.work.name, packed)

    def _failed(self, name: str, reason: BaseException) -> WorkerError:
        hint = ""
        if isinstance(reason, BrokenExecutor):
            hint = 'A worker ended, and with it the pool for good; with executor="processes" only its own phase fails.'
        elif isinstance(reason, pickle.PicklingError | TypeError | AttributeError):
            hint = 'Handlers, what they are given and what they return must be sendable; or use runs_on="thread".'
        pool = type(self._executor).__name__
        return WorkerError(f"Phase {name!r} could not be run in {pool}: {in_words(reason)}.", hint=hint)


class _Here:
    """The outcome of an attempt that ran in this process."""

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error


class _Summons:
    """What the executor calls: the attempt itself where it stays in this process, an errand where it is sent away."""

    def __init__(self, place: FuturesPlace, trip: Trip) -> None:
        self._place = place
        self._trip = trip

    def __call__(self) -> _Here:
        trip = self._trip
        if trip.job.dropped:
            # Whoever waited for it is just about to withdraw it.
            return _Here(None, WorkerError(f"Phase {trip.work.name!r} was given up."))
        return trip.job.host.context.copy().run(_run_here, trip)

    def __reduce__(self) -> tuple[Any, ...]:
        trip = self._trip
        return _Sent, (trip.token, tuple(errand_of(trip.work, trip.job)), self._place.address(), os.getpid())


def _run_here(trip: Trip) -> _Here:
    current_job.set(trip.job)
    try:
        # A coroutine that it returns is awaited by whoever waits for the outcome.
        return _Here(trip.work(), None)
    except BaseException as error:  # noqa: BLE001 - it belongs to the saga that asked
        return _Here(None, error)


class _Sent:
    """An attempt as it arrives in another process, or in this one again: in an interpreter of its own, say."""

    def __init__(self, token: str, errand: tuple[Any, ...], address: Address, home: int) -> None:
        self._token = token
        self._errand = Errand(*errand)
        self._address = address
        self._home = home

    def __call__(self) -> tuple[bytes, tuple[int, list[tuple[str, str]]]]:
        """Run it; returns its outcome, how many lines were told, and those that could not be told as they came."""
        line = line_to(self._address)
        # What else is written in the run's own process is not the attempt's.
        value, error = attend(self._token, self._errand, line, alone=os.getpid() != self._home)
        packed = packed_outcome(self._errand.name, value, error)
        return packed, line.end(self._token)
