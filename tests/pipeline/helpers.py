"""Handlers that fail, and what a run told, for the tests of the generated saga."""

from __future__ import annotations

from collections.abc import Callable

import milo.testing
from milo import Action, PhasePolicy, Put
from milo.saga.effects import Effect


def fails(times: int) -> Callable[[], int]:
    """A handler that fails its first `times` calls and then answers how many calls there were."""
    calls = [0]

    def handler() -> int:
        calls[0] += 1
        if calls[0] <= times:
            raise ValueError(f"try {calls[0]}")
        return calls[0]

    return handler


def told(result: milo.testing.TestRun) -> list[tuple[str, str]]:
    return [
        (each.type.removeprefix("@@PHASE_"), each.payload["name"])
        for each in result.actions
        if each.type.startswith("@@PHASE_")
    ]


def puts(effects: list[Effect]) -> list[Action]:
    return [effect.action for effect in effects if isinstance(effect, Put)]


def retry(times: int, delay: float = 1.0, backoff: str = "fixed") -> PhasePolicy:
    return PhasePolicy("retry", times, delay, backoff)


def times(result: milo.testing.TestRun) -> list[tuple[str, str, float]]:
    return [
        (each.type.removeprefix("@@PHASE_"), each.payload["name"], each.payload["at"])
        for each in result.actions
        if each.type.startswith("@@PHASE_")
    ]
