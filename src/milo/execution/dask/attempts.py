"""Attempts on Dask workers: what is sent to the threads that are held, and what comes back."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any, NamedTuple

from milo.execution.dask.held import large_apart
from milo.execution.dask.leases import Leases
from milo.execution.dask.source import Lease, Source
from milo.execution.dask.worker import BEGIN, CANCEL, MORE
from milo.execution.placement import WorkerError

__all__ = ["Attempts", "News"]


class News(NamedTuple):
    """What a worker tells of an attempt.

    Attributes:
        heeds: It has begun to look whether it was cancelled.
        outcome: How it ended, packed; None as long as it runs.
    """

    lines: list[tuple[str, str]]
    heeds: bool
    outcome: bytes | None


class Attempts:
    """Everything here is for the thread of the client's loop.

    Args:
        client: A Dask client that is asynchronous.
        leases: The threads that are held.
        source: Where they come from.
        address: The scheduler's, for messages.
    """

    def __init__(self, client: Any, leases: Leases, source: Source, address: str) -> None:
        self._client = client
        self._leases = leases
        self._source = source
        self._address = address
        self._held: dict[str, Lease] = {}

    async def begin(self, token: str, name: str, errand: bytes) -> News:
        """Send an attempt to a worker, waiting for a free one; returns what comes first of it.

        Raises:
            WorkerError: It could not be sent, or its worker has ended.
        """
        while True:
            lease = self._held[token] = await self._leases.take()
            message = {"op": BEGIN, "lease": lease.key, "token": token, "data": large_apart(errand)}
            reply = await self._ask(lease, token, name, message)
            if not reply.get("over"):
                return self._news(lease, token, reply)
            # It has gone back to the cluster meanwhile, and has run nothing of this.
            self._leases.drop(lease)

    async def more(self, token: str, name: str) -> News:
        """What comes next of an attempt. Raises WorkerError when its worker has ended, or has given it up."""
        lease = self._held.get(token)
        if lease is None:
            raise WorkerError(f"Phase {name!r} was given up.")
        return self._news(lease, token, await self._ask(lease, token, name, {"op": MORE, "token": token}))

    async def cancel(self, token: str) -> None:
        """Tell an attempt to end."""
        lease = self._held.get(token)
        if lease is not None:
            message = {"op": CANCEL, "token": token}
            await self._client.scheduler.broadcast(msg=message, workers=[lease.worker], on_error="ignore")

    def held(self, token: str) -> Lease | None:
        """Where an attempt runs, if it has been sent."""
        return self._held.get(token)

    def give_up(self, token: str) -> None:
        """Nobody waits for an attempt any more: its worker tells it to end, and takes no other in this task."""
        lease = self._held.pop(token, None)
        if lease is not None:
            self._leases.drop(lease)

    def _news(self, lease: Lease, token: str, reply: dict[str, Any]) -> News:
        outcome = reply["outcome"]
        if "stays" in reply:
            self._held.pop(token, None)
            if reply["stays"]:
                self._leases.hand_on(lease)
            else:
                self._leases.drop(lease)
        lines = pickle.loads(reply["lines"]) if reply["lines"] else []
        return News(lines, reply["heeds"], bytes(outcome) if outcome is not None else None)

    async def _ask(self, lease: Lease, token: str, name: str, message: dict[str, Any]) -> dict[str, Any]:
        try:
            replies = await self._client.scheduler.broadcast(
                msg=message, workers=[lease.worker], on_error="return_pickle"
            )
        except asyncio.CancelledError:
            self.give_up(token)
            raise
        except Exception as reason:
            self.give_up(token)
            raise self._scheduler_lost(name) from reason
        reply = replies[lease.worker]
        if isinstance(reply, bytes):
            self._held.pop(token, None)
            raise self._lost(lease, name) from pickle.loads(reply)
        if reply.get("dropped"):
            self.give_up(token)
            raise WorkerError(
                f"The Dask worker {lease.where} gave phase {name!r} up before it was done.",
                hint="The worker is being closed, or somebody has cancelled the task that it ran in.",
            )
        return dict(reply)

    def _lost(self, lease: Lease, name: str) -> WorkerError:
        self._leases.drop(lease)
        became, hint = self._source.failed(lease)
        return WorkerError(
            f"The Dask worker {lease.where} {became} before phase {name!r} was done.",
            hint=hint,
        )

    def _scheduler_lost(self, name: str) -> WorkerError:
        return WorkerError(
            f"The Dask scheduler at {self._address} went away before phase {name!r} was done.",
            hint="What the phase has done on its worker is not known.",
        )
