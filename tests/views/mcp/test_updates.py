"""Subscribers are told of what has changed: together, ten times a second at most, and of the last change always."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from milo.journal import JournalError
from milo.views.mcp.addresses import GRAPH, RUNS, TIMELINE, logs_uri
from milo.views.mcp.look import Look, NoRunError
from milo.views.mcp.updates import PERIOD_S, Subscriber, Updates
from tests.views.mcp.world import WAIT_S, FakeSource, in_threads, look_at, settled, state_of

pytestmark = pytest.mark.anyio


class Rest:
    """Time between two looks, which passes when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.now = 0.0
        self._begun = asyncio.Semaphore(0)
        self._over = asyncio.Semaphore(0)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._begun.release()
        await self._over.acquire()

    async def begun(self) -> None:
        """Wait until a look is over and the rest after it begins, and whoever is told has been told."""
        with anyio.fail_after(WAIT_S):
            await self._begun.acquire()
        await settled()

    async def pass_by(self) -> None:
        """Let the rest end and what follows at once be done, save for a look."""
        self._over.release()
        await settled()


class World:
    def __init__(self, updates: Updates, source: FakeSource, rest: Rest, group: Any) -> None:
        self.updates = updates
        self.source = source
        self.rest = rest
        self._group = group

    def follow(self, *uris: str, hear: Callable[[str], Awaitable[object]] | None = None) -> Told:
        """Subscribe somebody to these addresses."""
        told = Told(Subscriber(uris), hear)
        self.updates.join(told, told.subscriber)
        self._group.start_soon(told.subscriber.deliver, told.hear)
        return told


class Told:
    """What somebody was told."""

    def __init__(self, subscriber: Subscriber, hear: Callable[[str], Awaitable[object]] | None) -> None:
        self.subscriber = subscriber
        self.uris: list[str] = []
        self._hear = hear

    async def hear(self, uri: str) -> None:
        self.uris.append(uri)
        if self._hear is not None:
            await self._hear(uri)

    def taken(self) -> list[str]:
        uris, self.uris = self.uris, []
        return uris


@asynccontextmanager
async def serving(source: FakeSource) -> AsyncIterator[World]:
    rest = Rest()
    async with anyio.create_task_group() as group:
        updates = Updates(source, group, clock=rest.clock, sleep=rest.sleep)
        group.start_soon(updates.serve)
        await settled()
        yield World(updates, source, rest, group)
        group.cancel_scope.cancel()
    assert source.wakers == []


def numbered(number: int) -> Look:
    return look_at(state_of("running", status="running", progress=number / 1000))


async def test_who_has_subscribed_is_told_once_whatever_happened_before() -> None:
    """Something may have changed between what it read and its subscription."""
    async with serving(FakeSource(numbered(0))) as world:
        first = world.follow(TIMELINE)
        await world.rest.begun()
        assert first.taken() == [TIMELINE]
        second = world.follow(TIMELINE, GRAPH)
        await world.rest.pass_by()
        await world.rest.begun()
        assert (first.taken(), sorted(second.taken())) == ([], [GRAPH, TIMELINE])


async def test_whoever_wants_one_address_more_is_told_of_that_one() -> None:
    async with serving(FakeSource(numbered(0))) as world:
        told = world.follow(TIMELINE)
        await world.rest.begun()
        told.taken()
        told.subscriber.add(GRAPH)
        world.updates.join(told, told.subscriber)
        await world.rest.pass_by()
        await world.rest.begun()
        assert told.taken() == [GRAPH]


async def test_a_thousand_changes_are_one_look_and_one_word() -> None:
    async with serving(FakeSource(numbered(0))) as world:
        told = world.follow(TIMELINE)
        await world.rest.begun()
        told.taken()
        for number in range(1000):
            world.source.show(numbered(number))
        await world.rest.pass_by()
        await world.rest.begun()
        assert (told.taken(), world.source.looks) == ([TIMELINE], 2)
        await world.rest.pass_by()
        assert (told.taken(), world.source.looks) == ([], 2)


async def test_between_two_looks_a_tenth_of_a_second_passes_or_nine_times_what_the_look_took() -> None:
    """And no more than a second, after which the end of a run is old news."""
    source = FakeSource(numbered(0))
    async with serving(source) as world:

        def slowly() -> Look:
            world.rest.now += (0.002, 0.05, 2.0)[len(world.rest.asked)]
            return numbered(0)

        source.look = slowly  # type: ignore[method-assign]
        world.follow(TIMELINE)
        await world.rest.begun()
        for number in (1, 2):
            source.show(numbered(number))
            await world.rest.pass_by()
            await world.rest.begun()
        assert world.rest.asked == [PERIOD_S, pytest.approx(0.45), 1.0]
    assert PERIOD_S == 0.1


async def test_a_run_of_ten_thousand_phases_is_told_of_twice_a_second() -> None:
    """Reading that much takes its reader a while."""
    async with serving(FakeSource(look_at(state_of(*["pending"] * 10_000)))) as world:
        world.follow(TIMELINE)
        await world.rest.begun()
        assert world.rest.asked == [pytest.approx(0.5)]


@pytest.mark.parametrize("moment", ["before", "during the look", "while it rests", "while it is told"])
async def test_the_last_change_is_never_lost(moment: str) -> None:
    """Whoever reads when it is told has read the last state in the end, whenever that came."""
    source, last = FakeSource(numbered(0)), numbered(7)
    seen: list[object] = []
    looked = source.look

    def look() -> Look:
        found = looked()
        if moment == "during the look" and source.looks == 2:
            source.show(last)
        return found

    source.look = look  # type: ignore[method-assign]

    async def read(uri: str) -> None:
        seen.append(source.shown)
        if moment == "while it is told" and len(seen) == 2:
            source.show(last)

    async with serving(source) as world:
        world.follow(TIMELINE, hear=read)
        await world.rest.begun()
        source.show(numbered(1) if moment != "before" else last)
        await world.rest.pass_by()
        await world.rest.begun()
        if moment == "while it rests":
            source.show(last)
        await world.rest.pass_by()
        if moment != "before":
            await world.rest.begun()
        assert source.shown is last
        assert seen[-1] is last


async def test_whoever_does_not_listen_holds_up_nobody_and_costs_nothing() -> None:
    async with serving(FakeSource(numbered(0))) as world:
        deaf = world.follow(TIMELINE, GRAPH, hear=lambda uri: anyio.sleep_forever())
        told = world.follow(TIMELINE)
        for number in range(1, 50):
            await world.rest.begun()
            assert told.taken() == [TIMELINE]
            world.source.show(numbered(number))
            await world.rest.pass_by()
        assert len(deaf.uris) == 1
        assert len(deaf.subscriber._pending) <= 2


async def test_while_one_thing_is_told_what_changes_is_noted_and_told_next() -> None:
    heard = anyio.Event()
    subscriber, told = Subscriber([TIMELINE]), []

    async def hear(uri: str) -> None:
        told.append(uri)
        await heard.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(subscriber.deliver, hear)
        for uri in (TIMELINE, TIMELINE, GRAPH):
            subscriber.note(uri)
            await settled()
        subscriber.note(TIMELINE)
        assert told == [TIMELINE]
        heard.set()
        await settled()
        assert sorted(told) == [GRAPH, TIMELINE, TIMELINE]
        group.cancel_scope.cancel()


@pytest.mark.parametrize("polled", [False, True])
async def test_nothing_is_looked_at_while_nobody_is_subscribed(polled: bool) -> None:
    async with serving(FakeSource(numbered(0), polled=polled)) as world:
        await settled()
        assert (world.rest.asked, world.source.looks) == ([], 0)
        told = world.follow(TIMELINE)
        await world.rest.begun()
        world.updates.leave(told)
        assert len(world.updates) == 0
        for _ in range(3):
            await world.rest.pass_by()
        assert (len(world.rest.asked), world.source.looks) == (1, 1)


async def test_nothing_is_looked_at_for_whoever_wants_nothing_any_more() -> None:
    async with serving(FakeSource(numbered(0), polled=True)) as world:
        told = world.follow(TIMELINE)
        await world.rest.begun()
        told.subscriber.drop(TIMELINE)
        for _ in range(3):
            await world.rest.pass_by()
        assert world.source.looks == 1


async def test_what_has_to_be_asked_is_asked_again_after_each_rest() -> None:
    async with serving(FakeSource(numbered(0), polled=True)) as world:
        told = world.follow(TIMELINE)
        for number in range(1, 5):
            await world.rest.begun()
            assert told.taken() == [TIMELINE]
            world.source.shown = numbered(number)
            await world.rest.pass_by()
        await world.rest.begun()
        told.taken()
        await world.rest.pass_by()
        await world.rest.begun()
        assert told.taken() == []


async def test_what_was_dropped_is_not_told_even_if_it_was_noted() -> None:
    subscriber, told = Subscriber([TIMELINE, GRAPH]), []
    subscriber.note(TIMELINE)
    subscriber.note(GRAPH)
    subscriber.drop(TIMELINE)
    subscriber.drop("milo://never")
    assert (subscriber.uris, subscriber.unseen) == ({GRAPH}, {GRAPH})

    async def hear(uri: str) -> None:
        told.append(uri)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(subscriber.deliver, hear)
            await settled()
            scope.cancel()
    assert told == [GRAPH]


@pytest.mark.parametrize(
    "error",
    [NoRunError("none"), JournalError("broken"), RuntimeError("a fault"), OSError(5, "no")],
    ids=lambda error: type(error).__name__,
)
async def test_what_cannot_be_looked_at_does_not_end_the_telling(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(FakeSource(numbered(0))) as world:
        told = world.follow(TIMELINE, RUNS)
        await world.rest.begun()
        told.taken()
        world.source.known = [{"run": "r1", "status": "running"}]
        good = numbered(1)
        for shown, expected in [(error, [TIMELINE, RUNS]), (error, []), (good, [TIMELINE])]:
            world.source.show(shown)
            await world.rest.pass_by()
            await world.rest.begun()
            assert sorted(told.taken()) == sorted(expected)
        world.source.known = error
        world.source.show(good)
        await world.rest.pass_by()
        await world.rest.begun()
        assert told.taken() == [RUNS]
    faults = [record for record in caplog.records if record.levelno >= logging.ERROR]
    unexpected = not isinstance(error, NoRunError | JournalError)
    assert {record.message for record in faults} == ({"the run cannot be looked at"} if unexpected else set())


async def test_runs_are_told_of_when_one_comes_or_changes_its_status() -> None:
    source = FakeSource(numbered(0))
    async with serving(source) as world:
        told = world.follow(RUNS)
        await world.rest.begun()
        told.taken()
        for known, expected in [
            ([{"run": "r1", "status": "running", "elapsed": 1}], [RUNS]),
            ([{"run": "r1", "status": "running", "elapsed": 2}], []),
            ([{"run": "r1", "status": "failed", "elapsed": 2}], [RUNS]),
            ([{"run": "r2", "status": "running"}, {"run": "r1", "status": "failed"}], [RUNS]),
        ]:
            source.known = known
            source.show(numbered(0))
            await world.rest.pass_by()
            await world.rest.begun()
            assert told.taken() == expected


async def test_the_list_of_runs_is_not_made_for_those_who_do_not_want_it() -> None:
    source = FakeSource(numbered(0))
    source.known = AssertionError("nobody asked")
    async with serving(source) as world:
        world.follow(TIMELINE, GRAPH, logs_uri("a"))
        await world.rest.begun()


async def test_it_may_ring_from_any_thread() -> None:
    async with serving(FakeSource(numbered(0))) as world:
        told = world.follow(TIMELINE)
        await world.rest.begun()
        told.taken()
        await anyio.to_thread.run_sync(
            lambda: in_threads(4, lambda: [world.source.show(numbered(9)) for _ in range(200)])
        )
        await world.rest.pass_by()
        await world.rest.begun()
        assert (told.taken(), world.source.looks) == ([TIMELINE], 2)
