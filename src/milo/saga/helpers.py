"""Sagas that give the richer effects their meaning, composed of the simpler effects alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from milo.action import Action
from milo.saga.effects import Call, Cancel, Delay, Effect, Fork, Race, Retry, Saga, SagaSource, Take, TryCall

__all__ = ["debounce", "retry", "take_every", "take_latest", "timeout", "try_call"]


def take_every(action_type: str, saga: Callable[[Action], Saga]) -> Saga:
    """Start ``saga(action)`` for every action of a type."""
    while True:
        action = yield Take(action_type)
        yield Fork(partial(saga, action))


def take_latest(action_type: str, saga: Callable[[Action], Saga]) -> Saga:
    """Start ``saga(action)`` for every action of a type, and cancel the one before."""
    latest = None
    while True:
        action = yield Take(action_type)
        if latest is not None:
            yield Cancel(latest)
        latest = yield Fork(partial(saga, action))


def debounce(seconds: float, saga: SagaSource) -> Saga:
    """Wait, then start `saga`; what was started is out of reach of the next Debounce."""
    yield Delay(seconds)
    yield Fork(saga)


def try_call(effect: TryCall) -> Saga:
    """Answer ``(result, error)`` of a call."""
    try:
        return (yield Call(effect.fn, effect.args, effect.kwargs)), None
    except Exception as error:  # noqa: BLE001 - handing it over is what TryCall is for
        return None, error


def retry(effect: Retry) -> Saga:
    """Call again after a delay until it succeeds or the attempts run out."""
    for attempt in range(1, effect.max_attempts):
        result, error = yield TryCall(effect.fn, effect.args, effect.kwargs)
        if error is None:
            return result
        yield Delay(effect.delay_s(attempt))
    return (yield Call(effect.fn, effect.args, effect.kwargs))


def timeout(effect: Effect, seconds: float) -> Saga:
    """Do `effect` unless the time runs out first."""
    return (yield Race((partial(_only, effect), partial(_limit, effect, seconds))))


def _only(effect: Effect) -> Saga:
    return (yield effect)


def _limit(effect: Effect, seconds: float) -> Saga:
    yield Delay(seconds)
    raise TimeoutError(f"{type(effect).__name__} took longer than {seconds} s.")
