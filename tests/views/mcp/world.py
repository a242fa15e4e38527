"""What the tests of the server for agents share: sources moved by hand, scripted runs, and clients."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import mcp_types as types
import pytest
from anyio.abc import TaskGroup
from mcp.client import Client
from mcp.client._memory import InMemoryTransport
from mcp.client.subscriptions import ResourceUpdated, Subscription
from mcp.server import Server
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from milo import Action, PhaseStatus, Pipeline, PipelineState
from milo.journal.declared import declare
from milo.journal.journal import Journal
from milo.journal.recorder import Recorder
from milo.views.mcp import Acting, Launched, LaunchError, Order
from milo.views.mcp.look import Look, NoRunError
from tests.journal.world import about, begin, pipeline_of, start

TARGET = "/home/build.py:pipeline"
ALL = Order()
WAIT_S = 20
"""Longer than anything takes; only a test that fails waits so long."""


def state_of(*statuses: str, name: str = "p", **more: Any) -> PipelineState:
    """A state with phases a, b, c... of these statuses."""
    phases = [PhaseStatus(chr(97 + at), status) for at, status in enumerate(statuses)]
    return PipelineState(name, phases, **more)


def look_at(state: PipelineState, **more: Any) -> Look:
    """A look at a state."""
    fields: dict[str, Any] = {"run": "r1", "status": state.status, "phases": None}
    return Look(state=state, **{**fields, **more})


class FakeSource:
    """A source that shows what it is given, and counts how often it is asked."""

    def __init__(self, shown: Look | Exception | None = None, *, polled: bool = False) -> None:
        self.polled = polled
        self.shown = shown
        self.known: list[dict[str, Any]] | Exception = []
        self.looks = 0
        self.closed = 0
        self.wakers: list[Callable[[], None]] = []

    def look(self) -> Look:
        self.looks += 1
        shown = self.shown
        if shown is None:
            raise NoRunError("There is no run.", hint="Start one.")
        if isinstance(shown, Exception):
            raise shown
        return shown

    def runs(self) -> list[dict[str, Any]]:
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        self.wakers.append(wake)
        return lambda: self.wakers.remove(wake)

    def show(self, shown: Look | Exception | None) -> None:
        """Show something else from now on, and tell whoever watches."""
        self.shown = shown
        for wake in list(self.wakers):
            wake()

    def close(self) -> None:
        self.closed += 1


class FakeRun:
    """The process of a run that goes on as the test says, recorded as a run of this process."""

    def __init__(self, recorder: Recorder | None, said: str = "") -> None:
        self.pid = os.getpid()
        self.said = said
        self.recorder = recorder
        self.calls: list[str] = []
        self.cancelled = anyio.Event()
        self.may_end = anyio.Event()
        self.status = 0
        self._over = anyio.Event()

    def record(self, *actions: Action) -> None:
        assert self.recorder is not None
        self.recorder.record(list(actions))

    def exit(self, status: int = 0) -> None:
        """The process is over."""
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None
        self.status = status
        self._over.set()

    async def wait(self) -> int:
        self.calls.append("wait")
        await self._over.wait()
        return self.status

    def cancel(self) -> None:
        self.calls.append("cancel")
        self.cancelled.set()

    async def end(self) -> None:
        if not self._over.is_set():
            self.cancel()
        if not self._over.is_set():
            self.exit(-15)
        self.calls.append("end")
        await anyio.lowlevel.checkpoint()


class FakeLauncher:
    """Starts what the test has prepared."""

    def __init__(self, path: Path, pipeline: Pipeline | None = None) -> None:
        self.path = path
        self.pipeline = pipeline or pipeline_of("a", "b")
        self.orders: list[Order] = []
        self.started: list[FakeRun] = []
        self.news = anyio.Event()
        self.entered = anyio.Event()
        self.may_start = anyio.Event()
        self.may_start.set()
        self.refusal: LaunchError | None = None
        self.prepare: Callable[[Order], FakeRun] = self.new_run
        self.explanation: dict[str, Any] | LaunchError = {}

    def new_run(self, order: Order) -> FakeRun:
        """A new run that is recorded and has been started."""
        recorder = begin(
            self.path, self.pipeline, f"r{len(self.started) + 1}", pid=os.getpid(), target=TARGET
        )
        recorder.record([start()])
        return FakeRun(recorder)

    def resumed(self, order: Order) -> FakeRun:
        """The run that the order names, gone on with."""
        return FakeRun(None)

    async def start(self, order: Order) -> Launched:
        self.orders.append(order)
        self.entered.set()
        await self.may_start.wait()
        if self.refusal is not None:
            raise self.refusal
        run = self.prepare(order)
        self.started.append(run)
        self.news.set()
        return run

    async def explain(self, order: Order) -> dict[str, Any]:
        self.orders.append(order)
        if isinstance(self.explanation, LaunchError):
            raise self.explanation
        return self.explanation

    async def run(self, number: int = 0) -> FakeRun:
        """The run that is started as `number`."""
        while len(self.started) <= number:
            self.news = anyio.Event()
            with anyio.fail_after(WAIT_S):
                await self.news.wait()
        return self.started[number]


def recorded(path: Path, *actions: Action, run: str = "r1", target: str = TARGET) -> Recorder:
    """A run with phases a and b that is being recorded."""
    recorder = begin(path, pipeline_of("a", "b"), run, pid=os.getpid(), target=target)
    recorder.record([start(), *actions])
    return recorder


def gone_on(path: Path, run: str, **more: Any) -> Recorder:
    """A run with phases a and b that this process has taken up again, and has not begun to go on with."""
    pipeline = pipeline_of("a", "b")
    head = about(pipeline, pid=os.getpid(), target=TARGET, resumed=True, **more)
    return Journal(path).take(run).go_on(head, declare(pipeline))


def connect(server: Server[Any], era: str, **more: Any) -> AbstractAsyncContextManager[Client]:
    """A client of an era, over a pair of streams as two processes would have them."""
    mode = "legacy" if era == "legacy" else "auto"
    return Client(InMemoryTransport(server), mode=mode, read_timeout_seconds=WAIT_S, cache=None, **more)


async def read(client: Client, uri: str) -> Any:
    """What stands at an address."""
    (contents,) = (await client.read_resource(uri)).contents
    return json.loads(contents.text)  # type: ignore[union-attr]


async def refused(client: Client, uri: str) -> MCPError:
    """How the reading of an address is refused."""
    try:
        await client.read_resource(uri)
    except MCPError as error:
        return error
    raise AssertionError(f"{uri!r} was read")


class Ear:
    """What a client is told of, in whatever way its era has: make it, connect with `handler`, then `follow`."""

    def __init__(self, era: str) -> None:
        self._era = era
        self._told: asyncio.Queue[str] = asyncio.Queue()

    async def handler(self, message: object) -> None:
        if self._era == "legacy" and isinstance(message, types.ResourceUpdatedNotification):
            self._told.put_nowait(message.params.uri)

    @asynccontextmanager
    async def follow(self, client: Client, *uris: str) -> AsyncIterator[Ear]:
        """Subscribe to these addresses."""
        if self._era == "legacy":
            for uri in uris:
                await subscribe(client, uri)
            yield self
            return
        async with (
            client.listen(resource_subscriptions=list(uris)) as subscription,
            anyio.create_task_group() as group,
        ):
            group.start_soon(self._pass_on, subscription)
            yield self
            group.cancel_scope.cancel()

    async def _pass_on(self, subscription: Subscription) -> None:
        async for event in subscription:
            assert isinstance(event, ResourceUpdated)
            self._told.put_nowait(event.uri)

    async def told(self) -> str:
        """The next address that it is told of."""
        with anyio.fail_after(WAIT_S):
            return await self._told.get()


async def subscribe(client: Client, uri: str) -> None:
    """As clients did before 2026-07-28."""
    with pytest.warns(MCPDeprecationWarning):
        await client.subscribe_resource(uri)


async def unsubscribe(client: Client, uri: str) -> None:
    """As clients did before 2026-07-28."""
    with pytest.warns(MCPDeprecationWarning):
        await client.unsubscribe_resource(uri)


async def settled() -> None:
    """Let every task of this loop go on until it waits for something from outside."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()


def in_threads(number: int, work: Callable[[], object]) -> None:
    """Do something in several threads at once, and wait for them."""
    barrier = threading.Barrier(number)

    def each() -> None:
        barrier.wait(WAIT_S)
        work()

    threads = [threading.Thread(target=each) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)


class Desk:
    """Somebody who acts, with a server's task group to let things go on in; what it is told of is kept."""

    def __init__(self, launcher: FakeLauncher, path: Path, group: TaskGroup) -> None:
        self.acting = Acting(launcher, path, TARGET)
        self.launcher = launcher
        self.group = group
        self.looks: list[Look] = []
        self.told = anyio.Event()

    async def report(self, look: Look) -> None:
        self.looks.append(look)
        self.told.set()

    async def run(self, order: Order = ALL, *, wait: bool = True) -> Look:
        return await self.acting.run(order, wait=wait, report=self.report, start=self.group.start_soon)

    async def resume(self, order: Order = ALL, *, wait: bool = True) -> Look:
        return await self.acting.resume(order, wait=wait, report=self.report, start=self.group.start_soon)


@asynccontextmanager
async def desk(path: Path, pipeline: Pipeline | None = None) -> AsyncIterator[Desk]:
    """Somebody who acts, until this is left; a test that waits in vain fails instead of waiting on."""
    with anyio.fail_after(3 * WAIT_S):
        async with anyio.create_task_group() as group:
            yield Desk(FakeLauncher(path, pipeline), path, group)
            group.cancel_scope.cancel()


class Later:
    """What becomes of something that goes on beside the test."""

    def __init__(self, group: TaskGroup, work: Callable[[], Awaitable[Any]]) -> None:
        self.scope = anyio.CancelScope()
        self.value: Any = None
        self.error: Exception | None = None
        self._done = anyio.Event()
        group.start_soon(self._do, work)

    async def _do(self, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            with self.scope:
                self.value = await work()
        except Exception as error:  # noqa: BLE001 - it is handed to the test
            self.error = error
        finally:
            self._done.set()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    async def get(self) -> Any:
        """Wait for what it returns or raises."""
        with anyio.fail_after(WAIT_S):
            await self._done.wait()
        if self.error is not None:
            raise self.error
        return self.value
