"""Channels keep what was put, in order, for whoever takes next."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from milo.saga import Channel, Fork, Join, Take
from milo.store import Store

from .world import World


def test_nothing_put_before_a_take_is_missed(world: World) -> None:
    """A channel is buffered."""
    channel = Channel()
    channel.put("a")
    channel.put("b")
    assert len(channel) == 2

    def saga() -> Any:
        return (yield Take(channel)), (yield Take(channel))

    assert world.result(saga) == ("a", "b")


def test_a_waiting_saga_is_woken_by_a_put(world: World) -> None:
    """The one that has waited longest comes first."""
    channel, got = Channel(), []

    def taker(name: str) -> Any:
        got.append((name, (yield Take(channel))))

    for name in "ab":
        world.run(lambda name=name: taker(name))  # type: ignore[misc]
    channel.put(1)
    channel.put(2)
    assert got == [("a", 1), ("b", 2)]


def test_a_taker_that_was_cancelled_takes_nothing_with_it(world: World) -> None:
    """The value goes to the next one."""
    channel, got = Channel(), []

    def taker(name: str) -> Any:
        got.append((name, (yield Take(channel))))

    first = world.run(lambda: taker("a"))
    world.run(lambda: taker("b"))
    first.cancel()
    channel.put(1)
    assert got == [("b", 1)]


def test_a_take_that_timed_out_leaves_the_value_for_others(world: World) -> None:
    """TimeoutError is raised in the saga, and a later Take still gets what was put."""
    channel = Channel()

    def saga() -> Any:
        with pytest.raises(TimeoutError):
            yield Take(channel, timeout=1)
        channel.put("late")
        return (yield Take(channel, timeout=1))

    assert world.result(saga) == "late"


def test_values_from_many_threads_arrive_once_and_in_order() -> None:
    """Several sagas take from one channel while several threads put."""
    channel = Channel()

    def taker() -> Any:
        got = []
        while (value := (yield Take(channel))) is not None:
            got.append(value)
        return got

    def main() -> Any:
        tasks = []
        for _ in range(3):
            tasks.append((yield Fork(taker)))
        results = []
        for task in tasks:
            results.append((yield Join(task)))
        return results

    def put(base: int) -> None:
        for number in range(500):
            channel.put((base, number))

    with Store(lambda state, action: state) as store:
        task = store.run_saga(main)
        threads = [threading.Thread(target=put, args=(base,)) for base in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(3):
            channel.put(None)
        results = task.result(20)
    values = [value for got in results for value in got]
    assert sorted(values) == [(base, number) for base in range(4) for number in range(500)]
    for got in results:
        for base in range(4):
            mine = [number for who, number in got if who == base]
            assert mine == sorted(mine)


def test_takes_that_timed_out_leave_nothing_behind(world: World) -> None:
    """And whoever still waits keeps its place."""
    channel = Channel()
    got: list[Any] = []

    def patient(name: str) -> Any:
        got.append((name, (yield Take(channel))))

    def impatient() -> Any:
        for _ in range(1_000):
            with contextlib.suppress(TimeoutError):
                yield Take(channel, timeout=0.01)

    world.run(lambda: patient("first"))
    world.run(lambda: patient("second"))
    world.result(impatient)
    assert len(channel._takers) <= 100
    channel.put(1)
    channel.put(2)
    assert got == [("first", 1), ("second", 2)]
