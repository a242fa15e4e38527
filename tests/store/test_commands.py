"""Commands: what a reducer asks for is carried out, in the order it asked."""

from __future__ import annotations

from typing import Any

import pytest

from milo.action import TICK, Action
from milo.errors import StateError
from milo.store import Batch, Cmd, ReducerResult, Sequence, Store, TickCmd
from milo.testing import FakeClock, VirtualExecutor


def a_store(command: Any, seconds: dict[Any, float] | None = None) -> tuple[Store, FakeClock]:
    """A store that carries out `command` on "go" and keeps the types of all other actions."""

    def reducer(state: Any, action: Action) -> Any:
        if action.type == "go":
            return ReducerResult(state, cmds=(command,))
        return (*(state or ()), action.type) if action.type != "@@INIT" else ()

    clock = FakeClock()
    times = seconds or {}
    store = Store(
        reducer, clock=clock, executor=VirtualExecutor(clock, lambda fn: times.get(fn, 0.0), workers=4)
    )
    store.dispatch(Action("go"))
    return store, clock


def slow() -> Action:
    return Action("slow")


def fast(*args: Any, **kwargs: Any) -> Action:
    return Action("fast" + "".join(map(str, args)) + "".join(kwargs))


TIMES = {slow: 2.0, fast: 1.0}


def test_a_command_dispatches_the_action_it_returns() -> None:
    """With its arguments, on a worker."""
    store, clock = a_store(Cmd(fast, (1,), {"k": 2}))
    clock.advance()
    assert store.state == ("fast1k",)


def test_a_command_that_returns_nothing_dispatches_nothing() -> None:
    """Only Actions are dispatched."""
    store, clock = a_store(Cmd(lambda: 5))
    clock.advance(10)
    assert store.state == ()


def test_a_batch_runs_at_the_same_time() -> None:
    """The faster one is there first; both ways of writing it mean the same."""
    store, clock = a_store(Batch(Cmd(slow), Cmd(fast)), TIMES)
    clock.advance(10)
    assert store.state == ("fast", "slow")
    assert Batch(Cmd(slow), Cmd(fast)) == Batch((Cmd(slow), Cmd(fast)))
    assert Batch(Cmd(slow)) != Sequence(Cmd(slow))


def test_a_sequence_runs_one_after_the_other() -> None:
    """The slow one first, as written."""
    store, clock = a_store(Sequence(Cmd(slow), Cmd(fast)), TIMES)
    clock.advance(2.5)
    assert store.state == ("slow",)
    clock.advance(1)
    assert store.state == ("slow", "fast")


def test_a_tick_comes_once_after_its_time() -> None:
    """Ticking on is the reducer's choice."""
    store, clock = a_store(TickCmd(1.5))
    clock.advance(1.4)
    assert store.state == ()
    clock.advance(10)
    assert store.state == (TICK,)


def test_a_failing_command_is_reported_as_a_saga_error() -> None:
    """The store goes on."""

    def fail() -> None:
        raise ValueError("no")

    store, clock = a_store(Cmd(fail))
    clock.advance()
    assert store.state == ("@@SAGA_ERROR",)


def test_a_tick_needs_a_sensible_time() -> None:
    """Negative or infinite seconds are refused when the command is made."""
    for seconds in (-1, float("inf"), float("nan"), True, "1"):
        with pytest.raises(StateError, match="finite"):
            TickCmd(seconds)  # type: ignore[arg-type]
