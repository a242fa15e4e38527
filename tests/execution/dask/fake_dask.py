"""A Dask client that does what a test tells it, and the answers of its workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import milo
from milo.execution.dask.leases import Leases
from milo.execution.dask.source import Elsewhere


class FakeFuture:
    def __init__(self) -> None:
        self.status = "pending"
        self.released = False
        self.done: Any = None

    def add_done_callback(self, callback: Any) -> None:
        self.done = callback

    def release(self) -> None:
        self.released = True


class FakeScheduler:
    """Answers what a worker would; what is told is noted."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.hangs = False

    async def broadcast(self, msg: dict[str, Any], workers: list[str], on_error: str) -> dict[str, Any]:
        self.told.append({**msg, "worker": workers[0]})
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {workers[0]: answer}


class FakeClient:
    def __init__(self) -> None:
        self.status = "running"
        self.scheduler = FakeScheduler()
        self.handlers: dict[str, Callable[[Any], None]] = {}
        self.futures: list[FakeFuture] = []
        self.workers: dict[str, int] = {}
        self.asked = 0

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        if self.status == "closed":
            raise RuntimeError("Client is closed")
        self.handlers[topic] = handler

    def scheduler_info(self) -> dict[str, str]:
        return {"id": "Scheduler-1"}

    def submit(self, *args: Any, **kwargs: Any) -> FakeFuture:
        if self.status == "closed":
            raise RuntimeError("Client is closed")
        self.futures.append(FakeFuture())
        return self.futures[-1]

    async def nthreads(self) -> dict[str, int]:
        self.asked += 1
        return self.workers

    def begun(self, number: int, worker: str = "tcp://one", version: str = milo.__version__) -> None:
        told = {"lease": f"run-{number}", "worker": worker, "milo": version, "pid": "1", "host": "here"}
        self.handlers["milo"]((0.0, told))


def leases(client: FakeClient) -> Leases:
    return Leases(client, Elsewhere(), "run", "tcp://scheduler")


def answer(stays: bool = True, outcome: bytes = b"done") -> dict[str, Any]:
    return {"status": "OK", "lines": b"", "heeds": False, "outcome": outcome, "stays": stays}
