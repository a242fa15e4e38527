"""Channel: a buffered queue between sagas, or from any thread to a saga."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milo.saga.task import SagaTask

__all__ = ["Channel"]


class Channel:
    """Values in the order they were put; ``Take(channel)`` waits for the next one.

    Nothing that was put before a Take is missed. Thread-safe: `put` may be called from anywhere.
    """

    __slots__ = ("_items", "_takers")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._takers: deque[tuple[SagaTask, int]] = deque()

    def put(self, value: Any = None) -> None:
        """Append `value` and wake the saga that has waited longest, if one waits."""
        self._items.append(value)
        self.wake_next()

    def __len__(self) -> int:
        return len(self._items)

    # The runner's side. A wake-up carries no value: the taker looks again, so one that was cancelled loses nothing.

    def take_now(self) -> tuple[Any, ...]:
        """The next value as a 1-tuple, or () when there is none."""
        try:
            return (self._items.popleft(),)
        except IndexError:
            return ()

    def wait(self, task: SagaTask, epoch: int) -> None:
        """Register `task` to be woken; whoever calls this then looks again."""
        self._takers.append((task, epoch))

    def wake_next(self) -> None:
        """Wake the first taker that still waits, if there is anything to take."""
        while self._items:
            try:
                task, epoch = self._takers.popleft()
            except IndexError:
                return
            if task.epoch == epoch:
                task.runner.look(task, epoch, self)
                return
