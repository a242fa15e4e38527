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

    __slots__ = ("_compact_at", "_items", "_takers")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._takers: deque[tuple[SagaTask, int]] = deque()
        self._compact_at = 64

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
        """Register `task` to be woken; whoever calls this calls `wake_next` then."""
        if len(self._takers) >= self._compact_at:
            self._drop_stale()
        self._takers.append((task, epoch))

    def _drop_stale(self) -> None:
        # Takes that timed out would otherwise stay until something is put; doubling keeps it O(1) a Take. A put that
        # finds nobody meanwhile is made good by the `wake_next` that follows.
        fresh = []
        for _ in range(len(self._takers)):
            try:
                task, epoch = self._takers.popleft()
            except IndexError:
                break
            if task.epoch == epoch:
                fresh.append((task, epoch))
        self._takers.extendleft(reversed(fresh))
        self._compact_at = max(64, 2 * len(fresh))

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
