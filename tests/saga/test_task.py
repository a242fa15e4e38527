"""SagaTask: the handle on a saga."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest

from milo.errors import StateError
from milo.saga import Call, Delay, Take
from milo.store import Store

from .world import World


def test_a_task_tells_its_result(world: World) -> None:
    """As often as it is asked."""

    def saga() -> Any:
        yield Delay(1)
        return 5

    task = world.run(saga)
    assert not task.done()
    with pytest.raises(TimeoutError, match="has not ended"):
        task.result(0)
    world.clock.advance(1)
    assert task.done()
    assert not task.cancelled()
    assert [task.result(), task.result(0)] == [5, 5]
    assert task.exception() is None
    assert repr(task) == f"<SagaTask {task.id} done>"


def test_a_cancelled_task_says_so(world: World) -> None:
    """`result` and `exception` raise CancelledError."""
    task = world.run(lambda: (yield Take("never")))
    task.cancel()
    assert task.done()
    assert task.cancelled()
    for ask in (task.result, task.exception):
        with pytest.raises(CancelledError):
            ask()
    assert "cancelled" in repr(task)


def test_a_failed_task_raises_its_error(world: World) -> None:
    """And hands it over."""

    def saga() -> Any:
        raise ValueError("bad")
        yield

    task = world.run(saga)
    with pytest.raises(ValueError, match="bad"):
        task.result()
    assert isinstance(task.exception(), ValueError)
    assert "failed" in repr(task)


def test_waiting_for_a_result_inside_a_saga_is_refused() -> None:
    """It would wait for itself; inside a Call it may wait."""

    def endless() -> Any:
        yield Take("never")

    def quick() -> Any:
        yield Delay(0)
        return "quick"

    with Store(lambda state, action: state) as store:
        task = store.run_saga(endless)

        def saga() -> Any:
            with pytest.raises(StateError, match="Join"):
                task.result()
            yield Delay(0)
            return (yield Call(lambda: store.run_saga(quick).result(10)))

        assert store.run_saga(saga).result(10) == "quick"


def test_many_threads_may_wait_for_one_task() -> None:
    """Each gets the result."""
    gate = threading.Event()
    results: list[int] = []

    def saga() -> Any:
        yield Call(gate.wait)
        return 7

    with Store(lambda state, action: state) as store:
        task = store.run_saga(saga)
        threads = [threading.Thread(target=lambda: results.append(task.result(10))) for _ in range(8)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join(10)
    assert results == [7] * 8


def test_a_callback_is_called_once_whenever_it_is_registered(world: World) -> None:
    """Before the end, or after it."""
    called: list[str] = []
    task = world.run(lambda: (yield Delay(1)))
    task.on_done(lambda: called.append("early"))
    assert called == []
    world.clock.advance(1)
    task.on_done(lambda: called.append("late"))
    assert called == ["early", "late"]
