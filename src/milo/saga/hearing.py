"""Hearing: which sagas wait for which actions, and from which moment on they count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

from milo.action import Action
from milo.saga.task import SagaTask

__all__ = ["Hearing"]


class _Taker(NamedTuple):
    """A Take that waits: its number among its saga's waits, and which actions are past for it."""

    epoch: int
    moment: int
    own_puts: list[int]
    own_count: int

    def is_past(self, number: int) -> bool:
        """Whether the action `number` came before this Take, or was put by its saga on the way to it."""
        if number <= self.moment:
            return True
        # Only the first `own_count`: others on the same way may have put more since.
        place = bisect_left(self.own_puts, number, 0, self.own_count)
        return place < self.own_count and self.own_puts[place] == number


class Hearing:
    """Sagas get actions when the baton comes to them, in the order of the store, and each advances until it waits
    again before the next action is looked at. A Take hears the actions after the moment at which its saga was last
    resumed or started, except those which were put on the way to it.

    Threads: `note` is called in the store's turn, `starting` from anywhere, all else under the runner's baton.

    Args:
        wanted: Told of each action that a saga may want, with its number, in the store's turn.

    Attributes:
        applied: How many actions the store has applied.
        putting: The action that a saga is dispatching just now.
    """

    __slots__ = (
        "_moment",
        "_own_puts",
        "_starting",
        "_takers",
        "_types",
        "_wanted",
        "applied",
        "putting",
    )

    def __init__(self, wanted: Callable[[int, Action], None]) -> None:
        self._wanted = wanted
        self.applied = 0
        self.putting: Action | None = None
        self._moment = 0
        self._own_puts: list[int] = []
        self._starting: set[SagaTask] = set()
        self._types: set[str] = set()
        self._takers: dict[str, dict[SagaTask, _Taker]] = {}

    def note(self, action: Action) -> None:
        """Count an action that was just applied, and pass it on if a saga may want it."""
        self.applied = number = self.applied + 1
        # While a saga is being started nobody knows what it will take.
        if action.type in self._types or self._starting:
            if action is self.putting:
                self._own_puts.append(number)
            self._wanted(number, action)

    def starting(self, task: SagaTask) -> int:
        """Expect the first step of `task`; returns the moment from which on its first Take hears."""
        # Noted before the look: what is applied from here on is kept.
        self._starting.add(task)
        return self.applied

    def started(self, task: SagaTask) -> None:
        """The first step of `task` is done."""
        self._starting.discard(task)

    def resume(self, moment: int) -> None:
        """A saga is resumed: what was applied up to `moment` is past for its next Take."""
        self._moment = moment
        if self._own_puts:
            self._own_puts = []

    def add(self, task: SagaTask, action_type: str) -> None:
        """Let `task` hear the next action of a type."""
        self._types.add(action_type)
        self._takers.setdefault(action_type, {})[task] = _Taker(
            task.epoch, self._moment, self._own_puts, len(self._own_puts)
        )

    def drop(self, task: SagaTask, action_type: str) -> None:
        """`task` no longer waits for a type."""
        takers = self._takers.get(action_type)
        if takers is not None:
            takers.pop(task, None)

    def take(self, number: int, action: Action) -> list[SagaTask]:
        """The sagas that the action `number` answers, in the order in which they began to wait."""
        answered = []
        for task, taker in self._takers.pop(action.type, {}).items():
            if task.epoch != taker.epoch:
                continue
            if taker.is_past(number):
                self._takers.setdefault(action.type, {})[task] = taker
            else:
                answered.append(task)
        return answered
