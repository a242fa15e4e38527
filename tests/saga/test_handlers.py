"""What each simple effect does."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import Any

import pytest

from milo.action import Action
from milo.errors import StateError
from milo.saga import Call, Cancel, Delay, Effect, Fork, Join, Put, Select, Take, TakeEvery, TakeLatest
from milo.saga.handlers import HANDLERS

from .world import World


def test_every_effect_has_its_handler() -> None:
    """The table is complete."""

    def kinds(base: type) -> set[type]:
        found: set[type] = set(base.__subclasses__())
        return found.union(*(kinds(each) for each in found)) if found else found

    public = {kind for kind in kinds(Effect) if not kind.__name__.startswith("_")}
    assert public == set(HANDLERS)


def test_put_is_applied_before_the_saga_goes_on(world: World) -> None:
    """Select sees the state after it."""

    def saga() -> Any:
        before = yield Select()
        yield Put(Action("x"))
        after = yield Select(lambda state: state * 10)
        return before, after

    assert world.result(saga) == (1, 20)


def test_put_raises_in_the_saga_what_the_store_refuses(world: World) -> None:
    """The saga may go on after it."""

    def saga() -> Any:
        with pytest.raises(StateError, match="Only actions"):
            yield Put("x")  # type: ignore[arg-type]
        return "caught"

    assert world.result(saga) == "caught"


def test_call_answers_and_raises_what_the_function_does(world: World) -> None:
    """With its arguments; a coroutine is awaited, also one that a plain function returns."""

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def fail() -> None:
        raise ValueError("async")

    def saga() -> Any:
        plain = yield Call(divmod, (7, 2))
        named = yield Call(dict, kwargs={"a": 1})
        awaited = yield Call(double, (4,))
        returned = yield Call(lambda: double(5))
        with pytest.raises(ZeroDivisionError):
            yield Call(lambda: 1 // 0)
        with pytest.raises(ValueError, match="async"):
            yield Call(fail)
        return plain, named, awaited, returned

    assert world.result(saga) == ((3, 1), {"a": 1}, 8, 10)


def test_fork_runs_the_child_to_its_first_wait_first(world: World) -> None:
    """A generator or a callable; the answer is its task."""
    log: list[str] = []

    def child(name: str) -> Any:
        log.append(f"{name} begins")
        yield Delay(1)
        log.append(f"{name} ends")
        return name

    def saga() -> Any:
        one = yield Fork(child("one"))
        log.append("between")
        two = yield Fork(lambda: child("two"))
        log.append("after")
        return (yield Join(one)), (yield Join(two)), (yield Join(one))

    assert world.result(saga) == ("one", "two", "one")
    assert log == ["one begins", "between", "two begins", "after", "one ends", "two ends"]


def test_join_raises_the_childs_error_and_its_cancellation(world: World) -> None:
    """As `result()` would."""

    def bad() -> Any:
        yield Delay(1)
        raise ValueError("bad")

    def endless() -> Any:
        yield Take("never")

    def saga() -> Any:
        task = yield Fork(bad)
        with pytest.raises(ValueError, match="bad"):
            yield Join(task)
        task = yield Fork(endless)
        yield Cancel(task)
        with pytest.raises(CancelledError):
            yield Join(task)
        with pytest.raises(StateError, match="needs a task"):
            yield Join(None)  # type: ignore[arg-type]
        return "done"

    assert world.result(saga) == "done"


def test_a_saga_that_joins_itself_is_refused(world: World) -> None:
    """It would wait for ever."""
    own: list[Any] = []

    def saga() -> Any:
        yield Delay(1)
        with pytest.raises(StateError, match="itself"):
            yield Join(own[0])
        return "refused"

    own.append(world.run(saga))
    world.clock.advance(1)
    assert own[0].result() == "refused"


def test_take_hears_only_what_comes_after_it(world: World) -> None:
    """An action before it is past, the saga's own Put too."""

    def saga() -> Any:
        yield Put(Action("x", "own"))
        return (yield Take("x")).payload

    world.store.dispatch(Action("x", "early"))
    task = world.run(saga)
    assert not task.done()
    world.store.dispatch(Action("x", "late"))
    assert task.result() == "late"


def test_take_times_out(world: World) -> None:
    """And what comes in time stops the timer."""

    def saga() -> Any:
        with pytest.raises(TimeoutError):
            yield Take("x", timeout=2)
        return (yield Take("x", timeout=2)).payload, world.clock.now()

    task = world.run(saga)
    world.clock.advance(3)
    world.store.dispatch(Action("x", 1))
    world.clock.advance(10)
    assert task.result() == (1, 3.0)
    assert world.clock.next_due() is None


def test_take_refuses_what_is_neither_a_type_nor_a_channel(world: World) -> None:
    """With what it got."""

    def saga() -> Any:
        with pytest.raises(StateError, match="got 5"):
            yield Take(5)  # type: ignore[arg-type]
        return "refused"

    assert world.result(saga) == "refused"


@pytest.mark.parametrize("kind", [TakeEvery, TakeLatest])
def test_a_watcher_of_neither_a_type_nor_a_channel_is_refused_where_it_was_yielded(
    world: World, kind: Any
) -> None:
    def saga() -> Any:
        yield kind(3, lambda action: None)

    with pytest.raises(StateError, match=f"{kind.__name__} needs an action type or a Channel, got 3"):
        world.result(saga)


def test_a_call_of_what_is_no_function_is_refused_where_it_was_yielded(world: World) -> None:
    """Without a look at every Call that is made."""

    def saga() -> Any:
        yield Call(3)  # type: ignore[arg-type]

    with pytest.raises(StateError, match=r"Call needs a function, got 3\. Pass the function itself"):
        world.result(saga)


def test_delay_waits(world: World) -> None:
    """For its time, no less."""

    def saga() -> Any:
        yield Delay(2.5)
        return world.clock.now()

    assert world.result(saga) == 2.5


def test_what_is_no_effect_is_refused_where_it_was_yielded(world: World) -> None:
    """The saga may catch it."""

    def saga() -> Any:
        with pytest.raises(StateError, match="not an effect"):
            yield Action("x")
        with pytest.raises(StateError, match="not an effect"):
            yield None
        return "refused"

    assert world.result(saga) == "refused"


@pytest.mark.parametrize("kind", [Join, Cancel])
def test_a_task_of_another_store_is_refused(world: World, kind: Any) -> None:
    """Each store advances its own sagas alone."""
    elsewhere = World()
    foreign = elsewhere.run(lambda: (yield Take("x")))

    def saga() -> Any:
        with pytest.raises(StateError, match="of another store"):
            yield kind(foreign)

    world.result(saga)
    assert not foreign.done()
    elsewhere.store.shutdown()
