"""A store in virtual time, on one thread, that remembers every action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milo.action import Action
from milo.saga import SagaTask
from milo.store import Store
from milo.testing import FakeClock, VirtualExecutor


class World:
    """Runs sagas step by step: `seconds` gives the functions that take time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.seconds: dict[Any, float] = {}
        self.actions: list[Action] = []
        executor = VirtualExecutor(self.clock, lambda fn: self.seconds.get(fn, 0.0), workers=4)
        self.store = Store(self._note, clock=self.clock, executor=executor)

    def _note(self, state: Any, action: Action) -> int:
        self.actions.append(action)
        return (state or 0) + 1

    @property
    def types(self) -> list[str]:
        """The types of all actions but @@INIT."""
        return [action.type for action in self.actions if action.type != "@@INIT"]

    def run(self, saga: Callable[[], Any]) -> SagaTask:
        """Start a saga; it has run to its first wait when this returns."""
        return self.store.run_saga(saga)

    def result(self, saga: Callable[[], Any], seconds: float = 100.0) -> Any:
        """Run a saga to its end in virtual time."""
        task = self.run(saga)
        self.clock.advance(seconds)
        assert task.done(), "the saga waits for ever"
        return task.result()
