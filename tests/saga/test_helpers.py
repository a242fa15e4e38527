"""The richer effects: watchers, retries, timeouts."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from milo.action import SAGA_ERROR, Action
from milo.saga import Call, Debounce, Delay, Put, Retry, Take, TakeEvery, TakeLatest, Timeout, TryCall
from milo.store import Store

from .world import World


def test_take_every_starts_a_saga_for_each_action(world: World) -> None:
    """At the same time, and one that fails does not stop the watch."""
    log: list[Any] = []

    def work(action: Action) -> Any:
        yield Delay(1)
        if action.payload == 1:
            raise ValueError("one")
        log.append(action.payload)

    def saga() -> Any:
        return (yield TakeEvery("x", work))

    watcher = world.run(saga).result()
    for number in range(3):
        world.store.dispatch(Action("x", number))
    world.clock.advance(1)
    assert log == [0, 2]
    assert world.types.count(SAGA_ERROR) == 1
    watcher.cancel()
    world.store.dispatch(Action("x", 9))
    world.clock.advance(5)
    assert log == [0, 2]


def test_take_every_misses_none_of_ten_thousand_rapid_actions() -> None:
    """From another thread, without pause."""
    got: list[int] = []
    done = threading.Event()

    def work(action: Action) -> Any:
        got.append(action.payload)
        if action.payload == 9_999:
            done.set()
        yield from ()

    def saga() -> Any:
        yield TakeEvery("x", work)

    with Store(lambda state, action: state) as store:
        store.run_saga(saga).result(10)
        for number in range(10_000):
            store.dispatch(Action("x", number))
        assert done.wait(20)
    assert got == list(range(10_000))


def test_take_latest_cancels_the_one_before(world: World) -> None:
    """Only the last of a burst gets to its end."""
    log: list[Any] = []

    def work(action: Action) -> Any:
        try:
            yield Delay(1)
            log.append(action.payload)
        finally:
            log.append(f"left {action.payload}")

    def saga() -> Any:
        yield TakeLatest("x", work)

    world.run(saga)
    for number in range(3):
        world.store.dispatch(Action("x", number))
    world.clock.advance(2)
    assert log == ["left 0", "left 1", 2, "left 2"]


def test_debounce_starts_once_after_a_pause(world: World) -> None:
    """Each new Debounce of the same saga starts the pause again, and what was started goes on."""
    log: list[Any] = []

    def work() -> Any:
        log.append("begin")
        yield Delay(3)
        log.append("end")

    def saga() -> Any:
        while True:
            yield Take("key")
            yield Debounce(1.0, work)

    world.run(saga)
    for _ in range(3):
        world.store.dispatch(Action("key"))
        world.clock.advance(0.9)
    assert log == []
    world.clock.advance(0.2)
    assert log == ["begin"]
    world.store.dispatch(Action("key"))
    world.clock.advance(10)
    assert log == ["begin", "begin", "end", "end"]


def test_retry_waits_longer_each_time_and_then_answers(world: World) -> None:
    """Three calls, after 0, 1 and 1 + 2 seconds."""
    calls: list[float] = []

    def flaky() -> str:
        calls.append(world.clock.now())
        if len(calls) < 3:
            raise OSError("not yet")
        return "done"

    def saga() -> Any:
        return (yield Retry(flaky, max_attempts=5))

    assert world.result(saga) == "done"
    assert calls == [0.0, 1.0, 3.0]


def test_retry_raises_the_last_error_when_its_attempts_run_out(world: World) -> None:
    """And makes no call more than it may."""
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise OSError(f"attempt {len(calls)}")

    def saga() -> Any:
        with pytest.raises(OSError, match="attempt 3"):
            yield Retry(broken, max_attempts=3, backoff="fixed", base_delay=0.5)
        return "raised"

    assert world.result(saga) == "raised"
    assert len(calls) == 3


def test_try_call_answers_the_result_or_the_error(world: World) -> None:
    """Exceptions alone: SystemExit is not something to look at and go on."""

    def leave() -> None:
        raise SystemExit(3)

    def saga() -> Any:
        good = yield TryCall(lambda: 5)
        _, error = yield TryCall(lambda: 1 // 0)
        with pytest.raises(SystemExit):
            yield TryCall(leave)
        return good, type(error)

    assert world.result(saga) == ((5, None), ZeroDivisionError)


def test_timeout_answers_in_time_or_raises(world: World) -> None:
    """And the effect that took too long is cancelled."""
    world.seconds[slow] = 5.0

    def saga() -> Any:
        quick = yield Timeout(Call(lambda: "quick"), 1)
        with pytest.raises(TimeoutError):
            yield Timeout(Call(slow), 1)
        with pytest.raises(TimeoutError):
            yield Timeout(Take("never"), 2)
        yield Put(Action("after"))
        return quick, world.clock.now()

    assert world.result(saga) == ("quick", 3.0)
    assert world.types == ["after"]


def slow() -> str:
    return "slow"
