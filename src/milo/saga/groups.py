"""Who is told when a child saga ends: a parent it is attached to, an All, or a Race."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from milo.log import log
from milo.saga.effects import SagaSource
from milo.saga.task import SagaTask

if TYPE_CHECKING:
    from milo.saga.runner import SagaRunner

__all__ = ["Attached", "First", "Gather"]


class Attached:
    """The parent of an attached fork: it ends after the child and takes over its error."""

    __slots__ = ("parent",)

    def __init__(self, parent: SagaTask) -> None:
        self.parent = parent

    def settled(self, task: SagaTask) -> None:
        runner = self.parent.runner
        if task.error is not None and not task.was_cancelled:
            runner.interrupt(self.parent, task.error)
        runner.child_settled(self.parent, task)


class _Group:
    """Sagas that one parent waits for together; the parent is answered once."""

    __slots__ = ("children", "epoch", "in_cleanup", "parent", "runner")

    def __init__(self, runner: SagaRunner, parent: SagaTask, sources: Iterable[SagaSource]) -> None:
        self.runner = runner
        self.parent = parent
        self.epoch = parent.epoch
        self.in_cleanup = parent.cancelling
        self.children: dict[SagaTask, int] = {}
        try:
            for place, source in enumerate(sources):
                self.children[runner.start_child(parent, source, self)] = place
        except BaseException:
            self._cancel_rest()
            raise

    def settled(self, task: SagaTask) -> None:
        self.runner.child_settled(self.parent, task)
        place = self.children.pop(task, None)
        if place is not None and self._awaited():
            self._child_ended(task, place)
        elif task.error is not None and not task.was_cancelled:
            log.error("A saga failed when nobody waited for it any more", exc_info=task.error)

    def _awaited(self) -> bool:
        """Whether the parent still waits, and was not cancelled since it began to."""
        return self.parent.epoch == self.epoch and self.parent.cancelling == self.in_cleanup

    def _child_ended(self, task: SagaTask, place: int) -> None:
        raise NotImplementedError

    def _answer(self, value: Any, error: BaseException | None) -> None:
        """Cancel whoever still runs, then let the parent go on; later ends no longer count."""
        self._cancel_rest()
        self.runner.wake(self.parent, self.epoch, value, error)

    def _cancel_rest(self) -> None:
        rest, self.children = self.children, {}
        for child in rest:
            self.runner.cancel(child)


class First(_Group):
    """A Race: the first to end answers."""

    __slots__ = ()

    def _child_ended(self, task: SagaTask, place: int) -> None:
        self._answer(*task.outcome())


class Gather(_Group):
    """An All: every result, or the first error."""

    __slots__ = ("results",)

    def __init__(self, runner: SagaRunner, parent: SagaTask, sources: tuple[SagaSource, ...]) -> None:
        self.results: list[Any] = [None] * len(sources)
        super().__init__(runner, parent, sources)

    def _child_ended(self, task: SagaTask, place: int) -> None:
        value, error = task.outcome()
        if error is not None:
            self._answer(None, error)
            return
        self.results[place] = value
        if not self.children:
            self._answer(tuple(self.results), None)
