"""Dask as a place: attempts run on the workers of a cluster, which is somebody's or this run's own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from milo.errors import PipelineError, StateError
from milo.execution.away import DROPPED, Desk, Trip
from milo.execution.dask.attempts import News
from milo.execution.dask.cluster import Cluster, connected
from milo.execution.dask.pickles import Pickles
from milo.execution.dask.quiet import louden, quieten
from milo.execution.dask.worker import holding
from milo.execution.groups import ASKED_NICELY
from milo.execution.loops import serve
from milo.execution.placement import Work, WorkerError
from milo.execution.program import refuse_while_importing_main
from milo.execution.remote import in_words, opened_outcome, packed_errand
from milo.saga.ports import Job

__all__ = ["DaskPlace"]

_CLOSE_S = 5.0


class DaskPlace:
    """The workers of a Dask cluster. What is asked of Dask is asked on one thread, which has a loop.

    Args:
        address: The scheduler's; None starts a cluster for this run.
        most: How many processes such a cluster has at most.

    Raises:
        StateError: The cluster cannot be had, or its workers cannot run phases.
    """

    def __init__(self, address: str | None, most: int) -> None:
        if address is None:
            refuse_while_importing_main()
            if sys.platform == "win32":
                raise StateError(
                    "A Dask cluster of the run's own is not supported on Windows.",
                    hint='Start one, and give its address: executor="dask:tcp://host:port".',
                )
        self._pickles = Pickles(by_value=address is not None)
        quieten()
        self._desk = Desk(f"{os.getpid()}-{id(self)}")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=serve, args=(self._loop,), name="milo-dask", daemon=True)
        self._thread.start()
        try:
            name = f"milo-{uuid.uuid4().hex[:12]}"
            self._cluster: Cluster = self._do(connected(address, most, name, holding.get()))
        except BaseException:
            self._release()
            raise
        self._attempts = self._cluster.attempts

    @property
    def usual_workers(self) -> int:
        """How many attempts it runs at once."""
        return self._cluster.threads

    def check(self, name: str, handler: Callable[..., Any]) -> None:
        """Raise PipelineError if the handler cannot be sent."""
        try:
            self._pickles.dumps(handler)
        except Exception as reason:
            raise PipelineError(
                f"The handler of phase {name!r} cannot be sent to a Dask worker: {in_words(reason)}.",
                hint='Let it use nothing that belongs to this process, or give the phase runs_on="thread".',
            ) from reason

    def run(self, work: Work, job: Job) -> Any:
        """Run an attempt on a worker and wait for it."""
        errand = packed_errand(work, job, self._pickles.dumps, "a Dask worker")
        trip = self._desk.open(work, job)
        forget = None
        try:
            if self._cluster.kill is not None:
                forget = job.on_cancel(partial(self._soon, self._stop, trip))
            news = self._told(trip, self._attempts.begin(trip.token, work.name, errand))
            while True:
                for stream, line in news.lines:
                    trip.line(stream, line)
                if news.heeds:
                    job.heeds = True
                    forget = forget or job.on_cancel(partial(self._soon, self._stop, trip))
                if news.outcome is not None:
                    return opened_outcome(work.name, news.outcome)
                news = self._told(trip, self._attempts.more(trip.token, work.name))
        finally:
            if forget is not None:
                forget()
            self._desk.close(trip)

    def abandon(self, job: Job) -> None:
        """Nobody waits for it any more: its worker is told, or ended where it is this run's own."""
        self._desk.abandon(job)

    def close(self) -> None:
        """Give up what is still there, and end a cluster of this run's own."""
        if self._loop.is_closed():
            return
        for trip in self._desk.all():
            trip.news.put(DROPPED)
        # A cluster that does not answer any more is no reason to wait.
        try:
            with suppress(RuntimeError, TimeoutError):
                self._do(self._cluster.close(), _CLOSE_S)
        finally:
            self._release()

    def _told(self, trip: Trip, asking: Coroutine[Any, Any, News]) -> News:
        """Wait for what is asked, or until nobody wants to know."""
        try:
            future = asyncio.run_coroutine_threadsafe(asking, self._loop)
        except RuntimeError as closed:
            asking.close()
            raise WorkerError("The run has ended.") from closed
        future.add_done_callback(trip.news.put)
        if trip.news.get() is DROPPED:
            future.cancel()
            self._soon(self._attempts.give_up, trip.token)
            raise WorkerError(f"Phase {trip.work.name!r} was given up.")
        return future.result()

    def _stop(self, trip: Trip) -> None:
        """An attempt was told to end; on the loop's thread."""
        kill, lease, job = self._cluster.kill, self._attempts.held(trip.token), trip.job
        if lease is None:
            # Not sent yet, or back already.
            trip.news.put(DROPPED)
        elif job.heeds and job.linger:
            self._cluster.keep(self._attempts.cancel(trip.token))
            if kill is not None:
                self._loop.call_later(ASKED_NICELY * job.linger, self._kill_late, trip)
        elif kill is not None:
            kill(lease)

    def _kill_late(self, trip: Trip) -> None:
        lease = self._attempts.held(trip.token)
        if lease is not None and self._cluster.kill is not None:
            self._cluster.kill(lease)

    def _soon(self, what: Callable[..., object], *args: Any) -> None:
        # A loop that is closed has nothing that could still be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *args)

    def _do(self, coroutine: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)
        except RuntimeError:
            coroutine.close()
            raise

    def _release(self) -> None:
        try:
            self._pickles.close()
        finally:
            self._end()

    def _end(self) -> None:
        self._soon(self._loop.stop)
        self._thread.join(_CLOSE_S)
        # Not before: what Dask finds closed under its hands at the very end it would tell as well.
        louden()
