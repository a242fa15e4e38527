"""The runner: one saga at a time, on no thread of the caller's, and nothing left behind."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import Any

import pytest

from milo.action import SAGA_ERROR, Action
from milo.errors import StateError
from milo.saga import (
    All,
    Call,
    Cancel,
    Channel,
    Delay,
    Fork,
    Join,
    Put,
    Race,
    SagaCancelled,
    SagaRunner,
    Take,
)
from milo.store import Store

from .world import World


def test_cancel_throws_into_the_saga_and_its_cleanup_may_yield_effects(world: World) -> None:
    """Also effects that wait."""
    log: list[str] = []

    def saga() -> Any:
        try:
            yield Take("never")
        except SagaCancelled:
            log.append("told")
            raise
        finally:
            yield Put(Action("cleaning"))
            yield Delay(1)
            log.append("cleaned")

    task = world.run(saga)
    task.cancel()
    task.cancel()
    assert not task.done()
    world.clock.advance(1)
    assert log == ["told", "cleaned"]
    assert task.cancelled()
    assert world.types == ["cleaning"]


def test_an_error_in_the_cleanup_of_a_cancelled_saga_is_reported(world: World) -> None:
    """It is not hidden by the cancellation."""

    def saga() -> Any:
        try:
            yield Take("never")
        finally:
            raise ValueError("cleanup")

    task = world.run(saga)
    task.cancel()
    assert isinstance(task.exception(), ValueError)
    assert world.types == [SAGA_ERROR]


def test_a_call_that_is_cancelled_is_abandoned_and_its_result_dropped() -> None:
    """The saga ends at once, the worker's place is filled, and the late result reaches nobody."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def stuck() -> None:
        started.set()
        release.wait()
        ended.set()

    def saga() -> Any:
        yield Call(stuck)

    def quick() -> Any:
        return (yield Call(lambda: "quick"))

    with Store(lambda state, action: state, max_workers=1) as store:
        task = store.run_saga(saga)
        assert started.wait(10)
        task.cancel()
        task.wait_done(10)
        assert task.cancelled()
        # With one worker this only gets through if the abandoned one no longer counts.
        assert store.run_saga(quick).result(10) == "quick"
        release.set()
        assert ended.wait(10)
        assert [store.run_saga(quick).result(10) for _ in range(20)] == ["quick"] * 20


def test_a_saga_that_fails_is_reported_and_its_task_holds_the_error(world: World) -> None:
    """With text that is safe to show."""

    def saga() -> Any:
        yield Delay(1)
        raise ValueError("bad\x1b[2J")

    task = world.run(saga)
    world.clock.advance(1)
    assert isinstance(task.exception(), ValueError)
    (action,) = [each for each in world.actions if each.type == SAGA_ERROR]
    assert action.payload["type"] == "ValueError"
    assert action.payload["saga_id"] == task.id
    assert "\x1b" not in action.payload["error"]


def test_a_saga_that_takes_in_a_loop_misses_nothing() -> None:
    """Even from a thread that dispatches without pause, with a Put between the Takes."""
    got: list[int] = []

    def saga() -> Any:
        while True:
            action = yield Take("x")
            got.append(action.payload)
            yield Put(Action("seen"))
            if action.payload == 4_999:
                return

    with Store(lambda state, action: state) as store:
        task = store.run_saga(saga)
        for number in range(5_000):
            store.dispatch(Action("x", number))
        task.result(20)
    assert got == list(range(5_000))


def test_a_saga_hears_what_is_dispatched_after_it_was_started() -> None:
    """Though its first step is made on another thread."""

    def saga() -> Any:
        return (yield Take("x")).payload

    with Store(lambda state, action: state) as store:
        for number in range(300):
            task = store.run_saga(saga)
            store.dispatch(Action("x", number))
            assert task.result(10) == number


def test_ten_thousand_sagas_wait_without_threads() -> None:
    """In Take and in Delay at once."""
    before = threading.active_count()

    def taker() -> Any:
        return (yield Take("go")).payload

    def sleeper() -> Any:
        yield Delay(3600)

    with Store(lambda state, action: state) as store:
        takers = [store.run_saga(taker) for _ in range(10_000)]
        sleepers = [store.run_saga(sleeper) for _ in range(10_000)]
        assert threading.active_count() - before <= 3
        store.dispatch(Action("go", 7))
        assert {task.result(30) for task in takers} == {7}
        assert not any(task.done() for task in sleepers)
    assert all(task.cancelled() for task in sleepers)


def test_the_main_thread_never_advances_a_saga() -> None:
    """Whatever wakes it: a start, a dispatch, a channel, a call, a coroutine, a cancellation."""
    threads: set[threading.Thread] = set()
    channel = Channel()

    async def coroutine() -> None:
        pass

    def saga() -> Any:
        try:
            for effect in (Take("x"), Call(int), Call(coroutine), Take(channel), Delay(0.001), Take("never")):
                threads.add(threading.current_thread())
                yield effect
        finally:
            threads.add(threading.current_thread())

    with Store(lambda state, action: state) as store:
        task = store.run_saga(saga)
        store.dispatch(Action("x"))
        channel.put(1)
        reached = store.run_saga(lambda: (yield Delay(0.2)))
        reached.result(10)
        task.cancel()
        task.wait_done(10)
    assert threads
    assert threading.main_thread() not in threads


def test_deep_chains_of_forks_and_joins_do_not_recurse(world: World) -> None:
    """Each saga forks the next and joins it."""

    def link(depth: int) -> Any:
        if depth:
            task = yield Fork(lambda: link(depth - 1), attached=depth % 2 == 0)
            return (yield Join(task)) + 1
        return 0

    assert world.result(lambda: link(5_000)) == 5_000


def test_what_is_no_saga_is_refused_at_once(world: World) -> None:
    """By run_saga in the caller, by Fork in the saga."""
    with pytest.raises(StateError, match="generator"):
        world.store.run_saga(5)  # type: ignore[arg-type]

    def saga() -> Any:
        with pytest.raises(StateError, match="generator"):
            yield Fork(lambda: 5)  # type: ignore[arg-type, return-value]
        with pytest.raises(StateError, match="generator"):
            yield All([lambda: 5])  # type: ignore[list-item, return-value]
        return "refused"

    assert world.result(saga) == "refused"


def test_long_loops_leave_nothing_behind(world: World) -> None:
    """Tasks that ended, takes that timed out, timers that were cancelled."""

    def once() -> Any:
        yield Race([lambda: (yield Delay(1)), lambda: (yield Take("never", timeout=500))])

    def saga() -> Any:
        for _ in range(300):
            task = yield Fork(once)
            yield Join(task)

    world.result(saga, 1000)
    runner: SagaRunner = world.store._runner
    assert not runner._tasks
    assert not runner.inbox
    assert world.clock.next_due() is None
    assert not any(runner.hearing._takers.values())


def test_a_random_crowd_on_real_threads_always_ends() -> None:
    """Calls, forks, races, takes and cancellations, many times over: no hang and no task lost."""
    rng = random.Random(7)

    def crowd(depth: int) -> Any:
        choice = rng.randrange(6)
        if choice == 0:
            yield Call(lambda: None)
        elif choice == 1:
            yield Delay(rng.random() / 1000)
        elif choice == 2 and depth:
            yield All([crowd(depth - 1) for _ in range(2)])
        elif choice == 3 and depth:
            yield Race([crowd(depth - 1), crowd(depth - 1)])
        elif choice == 4 and depth:
            task = yield Fork(crowd(depth - 1), attached=True)
            if rng.random() < 0.5:
                yield Cancel(task)
        else:
            yield Put(Action("x"))

    with Store(lambda state, action: state, max_workers=3) as store:
        tasks = [store.run_saga(crowd(4)) for _ in range(1_500)]
        for task in tasks[::5]:
            task.cancel()
        for task in tasks:
            task.wait_done(30)
        assert not store._runner._tasks


def test_an_abandoned_call_does_not_hold_up_the_process() -> None:
    """Its thread is a daemon."""
    program = """
import threading, time
from milo import Call, Store
started = threading.Event()
def stuck():
    started.set()
    time.sleep(600)
def saga():
    yield Call(stuck)
store = Store(lambda state, action: state)
task = store.run_saga(saga)
started.wait()
task.cancel()
task.wait_done(10)
store.shutdown()
print("end")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.returncode) == ("end\n", 0), ended.stderr


class UnprintableError(Exception):
    """An error that cannot even be told."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("refusal", [ValueError("middleware"), SystemExit(3)])
def test_a_task_ends_though_nobody_takes_its_error(
    refusal: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Middleware that raises on @@SAGA_ERROR neither keeps the task from ending nor stops the sagas."""

    def middleware(next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            if action.type == SAGA_ERROR:
                raise refusal
            return next_dispatch(action)

        return dispatch

    def fails() -> Any:
        yield Delay(0)
        raise KeyError("mine")

    def works() -> Any:
        yield Delay(0)
        return "worked"

    with Store(lambda state, action: state, middleware=[middleware]) as store:
        assert isinstance(store.run_saga(fails).exception(10), KeyError)
        assert store.run_saga(works).result(10) == "worked"
    assert "A saga failed" in caplog.text


def test_an_error_without_words_ends_its_task_as_well(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Its text is asked for only to report it."""

    def saga() -> Any:
        yield Delay(1)
        raise UnprintableError

    task = world.run(saga)
    world.clock.advance(1)
    assert isinstance(task.exception(0), UnprintableError)


def test_a_saga_may_shut_its_own_store_down() -> None:
    """The others are cancelled and clean up when it has let go."""
    log: list[str] = []

    def other() -> Any:
        try:
            yield Take("never")
        finally:
            log.append("cleaned up")

    with Store(lambda state, action: state) as store:

        def closing() -> Any:
            yield Delay(0)
            store.shutdown()
            log.append("shut down")
            yield Delay(0)

        tasks = [store.run_saga(other), store.run_saga(closing)]
        for task in tasks:
            task.wait_done(10)
            assert task.cancelled()
    assert log == ["shut down", "cleaned up"]
