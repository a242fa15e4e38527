"""Effects are inert values."""

from __future__ import annotations

import operator
import pickle
from typing import Any

import pytest

from milo.action import Action
from milo.errors import StateError
from milo.saga import (
    All,
    Call,
    Debounce,
    Delay,
    Fork,
    Put,
    Race,
    Retry,
    Select,
    Take,
    TakeEvery,
    TakeLatest,
    Timeout,
    TryCall,
)


def saga(*args: Any) -> Any:
    yield from ()


EFFECTS = [
    Put(Action("x", 1)),
    Call(operator.add, (1, 2)),
    Call(dict, kwargs={"a": 1}),
    TryCall(operator.add, (1, 2), {}),
    Fork(saga, attached=True),
    Select(operator.not_),
    Take("x", timeout=2.0),
    Delay(1.5),
    All([saga, saga]),
    Race((saga,)),
    Retry(operator.add, (1, 2), {}, 5, "linear", 0.5, 9.0),
    Timeout(Delay(3), 1),
    TakeEvery("x", saga),
    TakeLatest("x", saga),
    Debounce(0.5, saga),
]


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: type(effect).__name__)
def test_an_effect_is_a_value(effect: Any) -> None:
    """It equals its copy, hashes alike, survives pickling and cannot be changed."""
    copy = pickle.loads(pickle.dumps(effect))
    assert copy == effect
    assert hash(copy) == hash(effect)
    assert repr(copy) == repr(effect)
    field = type(effect).__match_args__[0]
    with pytest.raises(AttributeError, match="immutable"):
        setattr(effect, field, None)
    with pytest.raises(AttributeError, match="immutable"):
        delattr(effect, field)


def test_effects_of_different_kinds_or_fields_differ() -> None:
    """Equal fields alone do not make them equal."""
    assert TakeEvery("x", saga) != TakeLatest("x", saga)
    assert Call(len, ([],)) != TryCall(len, ([],))
    assert len(set(EFFECTS)) == len(EFFECTS)
    assert Delay(1) != Delay(2)


def test_fields_stand_in_the_order_of_the_arguments() -> None:
    """Also where a call names none of them."""
    effect = Retry(len, ("a",), {"k": 1}, 5, "fixed", 0.1, 2.0)
    assert (effect.fn, effect.args, effect.kwargs) == (len, ("a",), {"k": 1})
    assert (effect.max_attempts, effect.backoff, effect.base_delay, effect.max_delay) == (
        5,
        "fixed",
        0.1,
        2.0,
    )
    assert repr(Delay(2)) == "Delay(seconds=2)"


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [("exponential", [1, 2, 4, 8, 10]), ("linear", [1, 2, 3, 4, 5]), ("fixed", [1, 1, 1, 1, 1])],
)
def test_retry_delays_follow_their_backoff(backoff: str, delays: list[float]) -> None:
    """Never beyond max_delay."""
    effect = Retry(len, backoff=backoff, base_delay=1, max_delay=10)
    assert [effect.delay_s(attempt) for attempt in range(1, 6)] == delays
    assert Retry(len, base_delay=1, max_delay=30).delay_s(10_000) == 30


@pytest.mark.parametrize(
    "make",
    [
        lambda: Delay(-1),
        lambda: Delay(float("nan")),
        lambda: Delay("1"),  # type: ignore[arg-type]
        lambda: Take("x", timeout=float("inf")),
        lambda: Timeout(Delay(1), -0.1),
        lambda: Call(len, timeout=-1),
        lambda: Call(len, timeout=float("inf")),
        lambda: Call(len, timeout="1"),  # type: ignore[arg-type]
        lambda: Call(len, linger=-0.1),
        lambda: Call(len, linger=float("nan")),
        lambda: Call(len, linger=True),
        lambda: Debounce(True, saga),
        lambda: Race(()),
        lambda: Retry(len, backoff="random"),
        lambda: Retry(len, max_attempts=0),
        lambda: Retry(len, base_delay=-1),
        lambda: Retry(3),  # type: ignore[arg-type]
        lambda: TryCall(3),  # type: ignore[arg-type]
        lambda: TakeEvery("x", 3),  # type: ignore[arg-type]
        lambda: TakeLatest("x", None),  # type: ignore[arg-type]
        lambda: All(3),  # type: ignore[arg-type]
        lambda: Race(3),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(make: Any) -> None:
    """With a StateError that says what was received."""
    with pytest.raises(StateError):
        make()


@pytest.mark.parametrize("kind", [Call, TryCall, Retry])
def test_equal_effects_have_equal_hashes(kind: Any) -> None:
    """The order of keyword arguments means nothing."""
    one, other = kind(print, (), {"a": 1, "b": 2}), kind(print, (), {"b": 2, "a": 1})
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("kind", [Call, TryCall, Retry])
def test_an_effect_does_not_change_with_the_dict_it_was_made_of(kind: Any) -> None:
    """It keeps a copy."""
    kwargs = {"a": 1}
    effect = kind(print, (), kwargs)
    kwargs["a"] = 2
    assert effect.kwargs == {"a": 1}


def test_the_limits_of_a_call_are_part_of_its_value() -> None:
    """A whole number of seconds is one as well."""
    assert Call(len, timeout=1) == Call(len, timeout=1.0)
    assert len({Call(len), Call(len, timeout=1), Call(len, linger=1), Call(len, timeout=1, linger=1)}) == 4
    assert (Call(len).timeout, Call(len).linger) == (None, 0.0)
