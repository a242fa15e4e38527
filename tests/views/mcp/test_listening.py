"""Clients of both eras say what they want to be told of, are told, and are forgotten when they leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.server import Server
from mcp.server.runner import serve_loop
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.memory import create_client_server_memory_streams

from milo.views.mcp import make_server
from milo.views.mcp import server as module
from milo.views.mcp.addresses import GRAPH, LOGS_TEMPLATE, RUNS, TIMELINE, logs_uri
from milo.views.mcp.listening import Subscriptions
from milo.views.mcp.look import Look
from milo.views.mcp.updates import Updates
from tests.views.mcp.world import (
    WAIT_S,
    Ear,
    FakeSource,
    connect,
    look_at,
    read,
    settled,
    state_of,
    subscribe,
    unsubscribe,
)

pytestmark = pytest.mark.anyio

LIST = f"There are {TIMELINE}, {GRAPH}, {RUNS} and {LOGS_TEMPLATE}."


def numbered(number: int) -> Look:
    return look_at(state_of("running", status="running", progress=number / 1000))


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(numbered(0))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Updates]:
    """The updates of each server that is at work."""
    found: list[Updates] = []

    def make(*arguments: Any) -> Updates:
        found.append(Updates(*arguments))
        return found[-1]

    monkeypatch.setattr(module, "Updates", make)
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other tasks of this loop are about to do."""
    with anyio.fail_after(WAIT_S):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_a_subscriber_is_told_and_reads_the_last_state(era: str, source: FakeSource) -> None:
    ear = Ear(era)
    async with connect(make_server(source=source), era, message_handler=ear.handler) as client:
        async with ear.follow(client, TIMELINE):
            assert await ear.told() == TIMELINE  # once in any case: see test_updates
            for number in range(1, 1000):
                source.show(numbered(number))
            found = 0.0
            while found < 0.999:
                assert await ear.told() == TIMELINE
                progress = (await read(client, TIMELINE))["progress"]
                assert progress >= found
                found = progress
        assert source.looks < 20


async def test_several_addresses_are_told_of_each_for_itself(era: str, source: FakeSource) -> None:
    ear, uris = Ear(era), {TIMELINE, RUNS, logs_uri("a/b"), logs_uri("nobody has it yet")}
    async with (
        connect(make_server(source=source), era, message_handler=ear.handler) as client,
        ear.follow(client, *uris),
    ):
        assert {await ear.told() for _ in uris} == uris


async def test_what_is_acknowledged_leaves_out_what_names_nothing(source: FakeSource) -> None:
    asked = ["milo://nothing", TIMELINE, logs_uri("x"), "milo://pipeline/phases/%/logs"]
    async with (
        connect(make_server(source=source), "2026-07-28") as client,
        client.listen(resource_subscriptions=asked) as told,
    ):
        assert told.honored.resource_subscriptions == [TIMELINE, logs_uri("x")]


async def test_what_is_never_told_is_not_acknowledged(source: FakeSource) -> None:
    async with (
        connect(make_server(source=source), "2026-07-28") as client,
        client.listen(resource_subscriptions=["milo://nothing"], tools_list_changed=True) as told,
    ):
        assert told.honored.model_dump(exclude_none=True) == {}


@pytest.mark.parametrize("uri", ["milo://nothing", "file:///etc/passwd", "milo://pipeline/timeline/"])
async def test_the_older_era_is_refused_what_names_nothing(source: FakeSource, uri: str) -> None:
    async with connect(make_server(source=source), "legacy") as client:
        with pytest.raises(MCPError) as error, pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(uri)
    assert error.value.error.code == types.INVALID_PARAMS
    assert error.value.error.message == f"There is no resource {uri!r}. {LIST}"


async def test_the_newer_era_has_no_subscribe_and_the_older_no_listen(source: FakeSource) -> None:
    async with connect(make_server(source=source), "2026-07-28") as client:
        with pytest.raises(MCPError, match="Method not found"), pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(TIMELINE)
    async with connect(make_server(source=source), "legacy") as client:
        with pytest.raises(RuntimeError, match="requires 2026-07-28"):
            async with client.listen(resource_subscriptions=[TIMELINE]):
                pass


async def test_whoever_unsubscribes_is_told_no_more(source: FakeSource) -> None:
    ear = Ear("legacy")
    async with connect(make_server(source=source), "legacy", message_handler=ear.handler) as client:
        await unsubscribe(client, TIMELINE)  # never subscribed: nothing to say
        await subscribe(client, TIMELINE)
        await subscribe(client, GRAPH)
        assert {await ear.told(), await ear.told()} == {TIMELINE, GRAPH}
        await unsubscribe(client, TIMELINE)
        await unsubscribe(client, TIMELINE)
        source.show(numbered(1))
        source.show(look_at(state_of("running"), run="r2"))
        assert await ear.told() == GRAPH


async def test_whoever_subscribes_twice_is_one_subscriber(source: FakeSource, made: list[Updates]) -> None:
    """Told once more at most, as somebody who may have read in between."""
    ear = Ear("legacy")
    async with connect(make_server(source=source), "legacy", message_handler=ear.handler) as client:
        await subscribe(client, TIMELINE)
        await subscribe(client, TIMELINE)
        assert len(made[0]) == 1
        await subscribe(client, GRAPH)
        told = [await ear.told()]
        while told[-1] != GRAPH:
            told.append(await ear.told())
        assert told.count(TIMELINE) <= 2


async def test_a_stream_that_its_client_ends_is_forgotten(source: FakeSource, made: list[Updates]) -> None:
    async with connect(make_server(source=source), "2026-07-28") as client:
        async with (
            client.listen(resource_subscriptions=[TIMELINE]),
            client.listen(resource_subscriptions=[GRAPH]),
        ):
            assert len(made[0]) == 2
        await until(lambda: len(made[0]) == 0)


async def test_a_client_that_leaves_takes_its_subscriptions_along(era: str, source: FakeSource) -> None:
    ear = Ear(era)
    async with (
        connect(make_server(source=source), era, message_handler=ear.handler) as client,
        ear.follow(client, TIMELINE),
    ):
        await ear.told()
        assert len(source.wakers) == 1
    assert source.wakers == []
    source.show(numbered(1))


@asynccontextmanager
async def beside_others(server: Server[Any], updates: Updates) -> AsyncIterator[Any]:
    """The streams of a client whose server stays when it leaves, as over HTTP."""
    async with (
        create_client_server_memory_streams() as (streams, (reading, writing)),
        anyio.create_task_group() as group,
    ):
        group.start_soon(partial(serve_loop, server, reading, writing, lifespan_state=updates))
        yield streams
        group.cancel_scope.cancel()


async def test_a_client_that_leaves_is_forgotten_though_the_server_stays(source: FakeSource) -> None:
    server: Server[Any] = make_server(source=source)
    async with server.lifespan(server) as updates:
        before = asyncio.all_tasks()
        for _ in range(3):
            ear = Ear("legacy")
            transport = beside_others(server, updates)
            async with Client(transport, mode="legacy", message_handler=ear.handler) as client:
                await subscribe(client, TIMELINE)
                await subscribe(client, GRAPH)
                assert {await ear.told(), await ear.told()} == {TIMELINE, GRAPH}
                assert len(updates) == 1
            assert len(updates) == 0
        await until(lambda: asyncio.all_tasks() == before)


async def test_one_client_does_not_hear_what_another_has_asked_for(era: str, source: FakeSource) -> None:
    server, first, second = make_server(source=source), Ear(era), Ear(era)
    async with (
        connect(server, era, message_handler=first.handler) as one,
        connect(server, era, message_handler=second.handler) as two,
        first.follow(one, TIMELINE),
        second.follow(two, GRAPH),
    ):
        assert (await first.told(), await second.told()) == (TIMELINE, GRAPH)
        source.show(numbered(1))
        assert await first.told() == TIMELINE
        source.show(look_at(state_of("running"), run="r2"))
        assert (await first.told(), await second.told()) == (TIMELINE, GRAPH)


async def test_there_is_an_end_to_how_many_addresses_one_subscription_has(
    source: FakeSource, made: list[Updates]
) -> None:
    uris = [logs_uri(f"p{number}") for number in range(2001)]
    message = (
        "2001 addresses are too many for one subscription: 2000 are possible. The timeline tells of all phases "
        "at once."
    )
    async with connect(make_server(source=source), "2026-07-28") as client:
        with pytest.raises(MCPError) as error:
            async with client.listen(resource_subscriptions=uris):
                pass
        assert (error.value.error.code, error.value.error.message) == (types.INVALID_PARAMS, message)
        assert len(made[0]) == 0
        async with client.listen(resource_subscriptions=uris[:2000]) as told:
            assert len(told.honored.resource_subscriptions or ()) == 2000
    async with connect(make_server(source=source), "legacy") as client:
        await subscribe(client, TIMELINE)
        subscriber = next(iter(made[1]._subscribers.values()))
        subscriber.uris.update(uris[:1999])
        with pytest.raises(MCPError) as error:
            await subscribe(client, GRAPH)
        assert (error.value.error.code, error.value.error.message) == (types.INVALID_PARAMS, message)
        await subscribe(client, uris[5])  # it has that one already


async def test_there_is_an_end_to_how_many_streams_a_client_has_however_fast_it_asks(
    source: FakeSource, made: list[Updates]
) -> None:
    refusals: list[str] = []
    enough = anyio.Event()

    async def listen(client: Client) -> None:
        try:
            async with client.listen(resource_subscriptions=[TIMELINE]):
                await anyio.sleep_forever()
        except MCPError as error:
            refusals.append(error.error.message)
            if len(refusals) == 6:
                enough.set()

    async with connect(make_server(source=source), "2026-07-28") as client:
        async with anyio.create_task_group() as group:
            for _ in range(70):
                group.start_soon(listen, client)
            with anyio.fail_after(WAIT_S):
                await enough.wait()
            await settled()
            assert len(made[0]) == 64
            assert refusals == ["There are 64 subscriptions already; end one first."] * 6
            group.cancel_scope.cancel()
        await until(lambda: len(made[0]) == 0)
        async with client.listen(resource_subscriptions=[TIMELINE]):
            assert len(made[0]) == 1


async def test_the_end_holds_while_no_acknowledgement_is_read(source: FakeSource) -> None:
    session, refusals = SimpleNamespace(send_notification=_never), 0

    async def listen(number: int) -> None:
        nonlocal refusals
        context: Any = SimpleNamespace(lifespan_context=updates, request_id=number, session=session)
        params = types.SubscriptionsListenRequestParams(notifications=types.SubscriptionFilter())
        try:
            await Subscriptions().listen(context, params)
        except MCPError:
            refusals += 1

    async with anyio.create_task_group() as group:
        updates = Updates(source, group)
        for number in range(70):
            group.start_soon(listen, number)
        await settled()
        assert (len(updates), refusals) == (64, 6)
        group.cancel_scope.cancel()
    assert len(updates) == 0


async def test_a_request_without_an_id_cannot_be_listened_over(source: FakeSource) -> None:
    context: Any = SimpleNamespace(lifespan_context=Updates(source, None), request_id=None)  # type: ignore[arg-type]
    params = types.SubscriptionsListenRequestParams(notifications=types.SubscriptionFilter())
    with pytest.raises(MCPError, match="needs the id of a request") as error:
        await Subscriptions().listen(context, params)
    assert error.value.error.code == types.INVALID_REQUEST


async def test_a_client_that_reads_nothing_holds_up_neither_the_run_nor_the_others(
    era: str, source: FakeSource
) -> None:
    server: Server[Any] = make_server(source=source)
    ear = Ear(era)
    async with AsyncExitStack() as stack:
        deaf = await stack.enter_async_context(connect(server, era, message_handler=_never))
        if era == "legacy":
            await subscribe(deaf, TIMELINE)
        else:
            await stack.enter_async_context(deaf.listen(resource_subscriptions=[TIMELINE]))
        client = await stack.enter_async_context(connect(server, era, message_handler=ear.handler))
        await stack.enter_async_context(ear.follow(client, TIMELINE))
        for number in range(5):
            assert await ear.told() == TIMELINE
            source.show(numbered(number + 1))
        assert await ear.told() == TIMELINE


async def _never(message: object, related_request_id: object = None) -> None:
    await anyio.sleep_forever()
