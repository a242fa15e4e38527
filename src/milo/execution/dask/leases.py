"""Leases: the Dask tasks that hold threads of a cluster's workers for a run."""

from __future__ import annotations

import asyncio
import itertools
import pickle
from collections import deque
from contextlib import suppress
from typing import Any

from milo.execution.dask.source import Lease, Source
from milo.execution.dask.worker import TOPIC, hold, process_here
from milo.execution.placement import WorkerError
from milo.execution.remote import in_words
from milo.log import log
from milo.version import VERSION

__all__ = ["Leases", "versions_differ"]

_NO_WORKER_S = 30.0
_INSTALL = f"Install milo-pipelines=={VERSION} on the workers and restart them."


class _Task:
    """Pickled, it is a call of `hold`."""

    def __init__(self, *args: Any) -> None:
        self._args = args

    def __reduce__(self) -> tuple[Any, ...]:
        return hold, self._args


class Leases:
    """Everything here is for the thread of the client's loop.

    Args:
        client: A Dask client that is asynchronous.
        source: Where tasks run.
        name: Begins the names of the tasks.
        address: The scheduler's, for messages.
    """

    def __init__(self, client: Any, source: Source, name: str, address: str) -> None:
        self._client = client
        self._source = source
        self._name = name
        self._address = address
        self._numbers = itertools.count(1)
        self._all: dict[str, Lease] = {}
        self._free: list[Lease] = []
        self._waiting: deque[asyncio.Future[Lease]] = deque()
        self._telling: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks only weakly
        self._closed = False
        self._listen()

    def _listen(self) -> None:
        """Hear of what begins, and of workers that end."""
        self._client.subscribe_topic(TOPIC, self._on_start)
        self._client.subscribe_topic("all", self._on_change)

    async def warm(self) -> None:
        """Wait until some worker is ready. Raises WorkerError if none is."""
        self.hand_on(await self.take())

    def close(self) -> None:
        """Give up everything."""
        self._closed = True
        if self._client.status == "running":
            # Else the scheduler would log an error for each thing that it cannot tell any more.
            self._client.unsubscribe_topic(TOPIC)
            self._client.unsubscribe_topic("all")
        for lease in list(self._all.values()):
            self._forget(lease)
        self._fail_all(WorkerError("The run has ended."))

    async def take(self) -> Lease:
        """A thread to send an attempt to. Raises WorkerError where there is none."""
        if self._free:
            return self._free.pop()
        waiter: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._open_some()
        try:
            while not waiter.done():
                await asyncio.wait({waiter}, timeout=_NO_WORKER_S)
                if not waiter.done() and self._source.start_s is None:
                    await self._check_workers(waiter)
            return waiter.result()
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.hand_on(waiter.result())
            waiter.cancel()
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    async def _check_workers(self, waiter: asyncio.Future[Lease]) -> None:
        """Nothing has come for a while: it may go on waiting as long as there are workers that may be busy."""
        try:
            workers = await self._client.nthreads()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it cannot be asked
            workers, told = {}, f"does not answer ({type(reason).__name__})"
        else:
            told = "has no workers"
        if not workers and not waiter.done():
            waiter.set_exception(no_workers(self._address, told))

    def _open_some(self) -> None:
        """See to it that there are as many tasks on their way as attempts wait for one."""
        while not self._closed and len(self._all) < self._source.most:
            on_their_way = sum(not lease.worker for lease in self._all.values())
            if on_their_way >= len(self._waiting):
                return
            try:
                self._open_one()
            except WorkerError as error:
                self._fail_one(error)

    def _open_one(self) -> None:
        key = f"{self._name}-{next(self._numbers)}"
        process, options = self._source.open(key, lambda error: self._ended(key, error))
        lease = Lease(key, process)
        try:
            lease.future = self._submitted(key, options)
        except WorkerError:
            self._source.dropped(lease)
            raise
        self._all[key] = lease
        loop = asyncio.get_running_loop()

        def done(future: object) -> None:
            # From a thread of Dask's; the loop of a run that has ended is closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._done, lease)

        lease.future.add_done_callback(done)
        if self._source.start_s is not None:
            loop.call_later(self._source.start_s, self._overdue, lease)

    def _submitted(self, key: str, options: dict[str, Any]) -> Any:
        """Hand a task to Dask. Raises WorkerError if the client is closed."""
        try:
            # Each time: a scheduler that was started anew knows of nobody who listens.
            self._listen()
            scheduler = str(self._client.scheduler_info()["id"])
            call = _Task(key, self._source.idle_s, self._source.turn_s, process_here(), scheduler)
            # Opened by the worker alone: the scheduler's environment may be one without milo.
            return self._client.submit(
                pickle.loads, pickle.dumps(call), key=key, pure=False, retries=0, **options
            )
        except Exception as reason:
            # The client is closed, whatever Dask calls that.
            raise self._gone() from reason

    def _overdue(self, lease: Lease) -> None:
        if not lease.worker:
            told = f"A Dask worker process was not ready within {self._source.start_s:g} s."
            self._ended(lease.key, WorkerError(told))

    def _done(self, lease: Lease) -> None:
        """A task has ended, or was given up by somebody: the workers were restarted, say."""
        if lease.key not in self._all:
            return
        if lease.future.status != "error":
            self._ended(lease.key, None)
            return
        telling = asyncio.ensure_future(self._tell_error(lease))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_error(self, lease: Lease) -> None:
        reason = await lease.future.exception()
        told = f"A Dask worker cannot run phases: {in_words(reason)}."
        self._ended(lease.key, WorkerError(told, hint=_INSTALL))

    def _ended(self, key: str, error: WorkerError | None) -> None:
        lease = self._all.get(key)
        if lease is None:
            return
        started = bool(lease.worker)
        self._forget(lease)
        if self._client.status != "running":
            self._fail_all(self._gone())
        elif error is not None and not started:
            self._fail_one(error)
        self._open_some()

    def _gone(self) -> WorkerError:
        told = f"The Dask scheduler at {self._address} went away."
        return WorkerError(told, hint="Nothing of the phase has run.")

    def _on_start(self, event: tuple[float, Any]) -> None:
        """A task has begun, or, after the death of its worker, begun on another one."""
        told = event[1]
        lease = self._all.get(told["lease"])
        if lease is None:
            return
        if lease.worker:
            # What was sent to it before fails by itself; a thread that holds nothing goes back after a moment.
            self.drop(lease)
            return
        lease.worker = told["worker"]
        lease.where = f"{told['worker']} (process {told['pid']} on {told['host']})"
        differ = versions_differ({lease.where: told["milo"]})
        if differ:
            self._forget(lease)
            self._fail_one(WorkerError(differ[0], hint=differ[1]))
            return
        self.hand_on(lease)

    def _on_change(self, event: tuple[float, Any]) -> None:
        """The cluster has lost a worker: its tasks wait for nobody any more."""
        told = event[1]
        if not isinstance(told, dict) or told.get("action") != "remove-worker":
            return
        for lease in [lease for lease in self._free if lease.worker == told.get("worker")]:
            self._forget(lease)

    def hand_on(self, lease: Lease) -> None:
        """Let the next one have it."""
        if lease.key not in self._all:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(lease)
                return
        self._free.append(lease)

    def _fail_one(self, error: WorkerError) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return
        log.debug("%s", error)

    def _fail_all(self, error: WorkerError) -> None:
        while self._waiting:
            self._fail_one(error)

    def drop(self, lease: Lease) -> None:
        """Give a task up; whoever waits may have another in its place."""
        self._forget(lease)
        self._open_some()

    def _forget(self, lease: Lease) -> None:
        """Let Dask forget a task: if it runs, its worker hears of it, and it is not begun again elsewhere."""
        if self._all.pop(lease.key, None) is None:
            return
        if lease in self._free:
            self._free.remove(lease)
        lease.future.release()
        self._source.dropped(lease)


def no_workers(address: str, told: str) -> WorkerError:
    """Nobody is there to run a phase."""
    return WorkerError(
        f"The Dask scheduler at {address} {told}.",
        hint=f"Start one with `dask worker {address}`, in an environment that has milo-pipelines {VERSION}.",
    )


def versions_differ(found: dict[str, str | None]) -> tuple[str, str] | None:
    """What to say, and a hint, where workers (by name) have another version of milo than this process, or none."""
    wrong = {worker: version for worker, version in found.items() if version != VERSION}
    if not wrong:
        return None
    worker, version = next(iter(wrong.items()))
    others = f", nor are {len(wrong) - 1} more" if len(wrong) > 1 else ""
    told = f"its milo is version {version}" if version else "it has no milo"
    return (
        f"The Dask worker {worker} is not ready for this run: {told}, and {VERSION} is needed{others}.",
        _INSTALL,
    )
