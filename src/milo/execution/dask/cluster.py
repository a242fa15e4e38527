"""A Dask cluster, connected: its client, its leases, and how much there is of it."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any

from distributed import Client

from milo.errors import StateError
from milo.execution.dask.attempts import Attempts
from milo.execution.dask.leases import Leases, versions_differ
from milo.execution.dask.local import LocalSource
from milo.execution.dask.source import MOST_ELSEWHERE, Elsewhere, Lease, Source
from milo.execution.placement import WorkerError
from milo.execution.remote import in_words
from milo.log import log

__all__ = ["Cluster", "connected"]

_CONNECT_S = 10.0
_MARGIN_S = 1.0
_CLOSE_S = 3.0
_DISTRIBUTION = "milo-pipelines"


class Cluster:
    """What a run has of a cluster; for the loop's thread.

    Attributes:
        attempts: Sends attempts to its workers.
        threads: How many attempts it runs at once.
        kill: Ends the process of an attempt; None where the processes are somebody else's.
    """

    def __init__(self, client: Any, leases: Leases, source: Source, threads: int, address: str) -> None:
        self.attempts = Attempts(client, leases, source, address)
        self.threads = threads
        self.kill: Callable[[Lease], None] | None = getattr(source, "kill", None)
        self._client = client
        self._leases = leases
        self._source = source
        self._kept: set[asyncio.Task[Any]] = set()

    def keep(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Do something whose outcome nobody waits for."""
        task = asyncio.ensure_future(coroutine)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def close(self) -> None:
        """Give up what is held, and end what is the run's own."""
        await _closed(self._client, self._source, self._leases)


async def connected(address: str | None, most: int, name: str, inside: str = "") -> Cluster:
    """Connect to a scheduler, or start a cluster of the run's own.

    Args:
        address: The scheduler's; None starts a cluster.
        most: How many processes such a cluster has at most.
        name: Begins the names of its tasks.
        inside: The scheduler (its id) one of whose threads the caller holds; none by default.

    Raises:
        StateError: It cannot be reached, has no workers, its workers cannot run phases, or the caller holds one of
            its threads.
    """
    source: Any = Elsewhere() if address is not None else LocalSource(most)
    client = leases = None
    try:
        if address is None:
            address = await source.start()
        client = await _client(address, getattr(source, "security", None))
        if inside and client.scheduler_info()["id"] == inside:
            raise _holds_already(address)
        leases = Leases(client, source, name, address)
        threads = most
        if isinstance(source, Elsewhere):
            threads = min(MOST_ELSEWHERE, await _checked(client, leases))
        return Cluster(client, leases, source, threads, address)
    except BaseException:
        await _closed(client, source, leases)
        raise


def _holds_already(address: str) -> StateError:
    # Where every thread is held by a phase that waits for such a run, none would ever be free.
    return StateError(
        f"A run on the Dask scheduler at {address} was started by a phase that runs on one of its workers: "
        "it would wait for threads that phases like this one hold.",
        hint='Give the phase runs_on="thread", or start its run on threads, processes or another cluster.',
    )


async def _closed(client: Any, source: Any, leases: Leases | None) -> None:
    # Each step whatever has become of the one before, the last one first.
    async with AsyncExitStack() as steps:
        steps.push_async_callback(source.close)
        if client is not None:
            steps.push_async_callback(_close, client)
        if leases is not None:
            steps.callback(leases.close)


async def _close(client: Any) -> None:
    # Whatever Dask raises when it is closed, there is nothing left that could be lost.
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_S):
            await client.close(timeout=_CLOSE_S)


async def _client(address: str, security: Any) -> Any:
    options = {"security": security} if security is not None else {}
    client: Any = Client(  # type: ignore[no-untyped-call]
        address, asynchronous=True, set_as_default=False, name="milo", timeout=_CONNECT_S, **options
    )
    try:
        # Whoever listens there and says nothing is waited for by Dask without end.
        async with asyncio.timeout(_CONNECT_S + _MARGIN_S):
            return await client
    except BaseException as reason:
        await _close(client)
        if not isinstance(reason, Exception):
            raise  # the run was called off
        raise StateError(
            f"The Dask scheduler at {address} cannot be reached: {in_words(reason)}.",
            hint="Start one with `dask scheduler`, and give the address that it prints.",
        ) from reason


async def _checked(client: Any, leases: Leases) -> int:
    """How many threads the cluster has. Raises StateError if it cannot run phases."""
    if not await client.nthreads():
        # One that grows with its tasks needs one to begin.
        try:
            await leases.warm()
        except WorkerError as error:
            raise StateError(error.message, hint=error.hint) from error
    found = (await client.get_versions(packages=[_DISTRIBUTION]))["workers"]
    differ = versions_differ({worker: told["packages"].get(_DISTRIBUTION) for worker, told in found.items()})
    if differ:
        raise StateError(differ[0], hint=differ[1])
    for worker, told in found.items():
        python = str(told["packages"].get("python", "")).split(".final")[0]
        if python.split(".")[:2] != platform.python_version().split(".")[:2]:
            log.warning(
                "The Dask worker %s has Python %s, and this program %s: handlers that are sent by value may "
                "not run there.",
                worker,
                python,
                platform.python_version(),
            )
    return sum((await client.nthreads()).values())
