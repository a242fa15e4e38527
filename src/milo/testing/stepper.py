"""step: drives a saga by hand, without store or threads, and tells which effects it yielded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milo.saga.effects import Call, Effect, Fork, Saga, SagaSource

__all__ = ["step"]


def step(saga: SagaSource, answer: Callable[[Effect], Any] | None = None) -> list[Effect]:
    """Step `saga` to its end and return every effect it yielded, those of its Forks where they were forked.

    Calls are really made, and what they raise is thrown into the saga; a Fork's saga is stepped to its end before
    its parent goes on; every other effect is answered with None at once.

    Args:
        saga: A generator, or a callable that returns one, such as ``pipeline.build_saga()``.
        answer: Gives the answer to an effect that is neither Call nor Fork.
    """
    effects: list[Effect] = []
    _step(saga, answer or (lambda effect: None), effects)
    return effects


def _step(source: SagaSource, answer: Callable[[Effect], Any], effects: list[Effect]) -> None:
    generator: Saga = source() if callable(source) else source
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            effect = generator.send(value) if error is None else generator.throw(error)
        except StopIteration:
            return
        effects.append(effect)
        value = error = None
        try:
            value = _answer(effect, answer, effects)
        except BaseException as raised:  # noqa: BLE001 - it is thrown into the saga that asked for it
            error = raised


def _answer(effect: Effect, answer: Callable[[Effect], Any], effects: list[Effect]) -> Any:
    if isinstance(effect, Call):
        return effect.fn(*effect.args, **effect.kwargs)
    if isinstance(effect, Fork):
        _step(effect.saga, answer, effects)
        return None
    return answer(effect)
