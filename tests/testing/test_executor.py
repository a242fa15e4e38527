"""VirtualExecutor: Calls that take virtual seconds, so many at once and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milo import All, Call, Store
from milo.saga.effects import Saga
from milo.testing import FakeClock, VirtualExecutor


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def run(clock: FakeClock, workers: int, seconds: Callable[[Any], float], saga: Callable[[], Any]) -> Any:
    store = Store(lambda state, action: state, clock=clock, executor=VirtualExecutor(clock, seconds, workers))
    return store.run_saga(saga)


def test_a_call_ends_when_its_duration_has_passed(clock: FakeClock) -> None:
    def saga() -> Saga:
        yield Call(int)
        return clock.now()

    task = run(clock, 1, lambda fn: 3.0 if fn is int else 0.0, saga)
    clock.advance(2.9)
    assert not task.done()
    clock.advance(0.1)
    assert task.result(0) == 3.0


def test_at_most_so_many_are_under_way_at_once(clock: FakeClock) -> None:
    ends: list[float] = []

    def child() -> Saga:
        yield Call(int)
        ends.append(clock.now())

    def saga() -> Saga:
        yield All([child() for _ in range(5)])

    task = run(clock, 2, lambda fn: 1.0, saga)
    clock.advance(10.0)
    assert task.done()
    assert ends == [1.0, 1.0, 2.0, 2.0, 3.0]


def test_without_durations_calls_take_no_time(clock: FakeClock) -> None:
    def saga() -> Saga:
        return (yield Call(lambda: "done"))

    store = Store(lambda state, action: state, clock=clock, executor=VirtualExecutor(clock))
    task = store.run_saga(saga)
    clock.advance()
    assert (task.result(0), clock.now()) == ("done", 0.0)


def test_a_cancelled_call_is_not_made_and_gives_its_place_free(clock: FakeClock) -> None:
    calls: list[str] = []

    def saga(name: str) -> Saga:
        yield Call(calls.append, (name,))

    executor = VirtualExecutor(clock, lambda fn: 5.0, 1)
    store = Store(lambda state, action: state, clock=clock, executor=executor)
    first, second = store.run_saga(saga("first")), store.run_saga(saga("second"))
    first.cancel()
    clock.advance(5.0)
    assert first.cancelled()
    assert (calls, second.done()) == (["second"], True)


def test_coroutines_are_awaited(clock: FakeClock) -> None:
    async def coroutine() -> int:
        return 4

    async def broken() -> int:
        raise ValueError("no")

    def saga() -> Saga:
        answer = yield Call(coroutine)
        with pytest.raises(ValueError, match="no"):
            yield Call(broken)
        return answer

    task = run(clock, 1, lambda fn: 0.0, saga)
    clock.advance()
    assert task.result(0) == 4


def test_closing_drops_what_is_under_way(clock: FakeClock) -> None:
    calls: list[int] = []

    def saga() -> Saga:
        yield Call(calls.append, (1,))

    store = Store(lambda state, action: state, clock=clock, executor=VirtualExecutor(clock, lambda fn: 1.0))
    store.run_saga(saga)
    store.shutdown()
    clock.advance(5.0)
    assert calls == []
