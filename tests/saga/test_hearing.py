"""Which actions a Take hears, by the numbers alone."""

from __future__ import annotations

from typing import Any, cast

from milo.action import Action
from milo.saga.hearing import Hearing
from milo.saga.task import SagaTask


class Heard(Hearing):
    """Answers what was passed on: the action's number, or 0."""

    def __init__(self) -> None:
        self.passed = 0
        super().__init__(self._pass)

    def _pass(self, number: int, action: Action) -> None:
        self.passed = number

    def number(self, action: Action) -> int:
        self.passed = 0
        self.note(action)
        return self.passed


def a_task() -> SagaTask:
    return SagaTask(cast(Any, None), cast(Any, None), 1, None)


def test_an_action_that_nobody_takes_is_only_counted() -> None:
    """No saga has to look at an action of a type that none has ever taken."""
    hearing = Heard()
    assert hearing.number(Action("x")) == 0
    assert hearing.applied == 1


def test_a_take_hears_the_next_action_and_then_no_more() -> None:
    """A Take is answered once."""
    hearing, task = Heard(), a_task()
    hearing.add(task, "x")
    number = hearing.number(Action("x"))
    assert hearing.take(number, Action("x")) == [task]
    assert hearing.take(hearing.number(Action("x")), Action("x")) == []


def test_what_was_applied_before_the_saga_was_resumed_is_past() -> None:
    """An action that waits to be delivered does not answer a Take made by a saga that was resumed after it."""
    hearing, first, second = Heard(), a_task(), a_task()
    hearing.add(first, "x")
    old = hearing.number(Action("x"))
    hearing.resume(hearing.applied)
    hearing.add(second, "x")
    assert hearing.take(old, Action("x")) == [first]
    assert hearing.take(hearing.number(Action("x")), Action("x")) == [second]


def test_a_saga_that_takes_in_a_loop_hears_what_came_while_it_was_busy() -> None:
    """Resumed by action 1, it hears action 2 even if that was applied before its next Take."""
    hearing, task = Heard(), a_task()
    hearing.add(task, "x")
    one, two = hearing.number(Action("x")), hearing.number(Action("x"))
    assert hearing.take(one, Action("x")) == [task]
    hearing.resume(one)
    hearing.add(task, "x")
    assert hearing.take(two, Action("x")) == [task]


def test_a_take_does_not_hear_what_its_saga_put_before_it() -> None:
    """A saga's own Put is past for its next Take, though it is delivered after it."""
    hearing, task, action = Heard(), a_task(), Action("x")
    hearing.add(a_task(), "x")
    hearing.resume(hearing.applied)
    hearing.putting = action
    number = hearing.number(action)
    hearing.putting = None
    hearing.add(task, "x")
    assert task not in hearing.take(number, action)


def test_while_a_saga_is_being_started_every_action_is_kept_for_it() -> None:
    """Nobody knows yet what it will take."""
    hearing, task = Heard(), a_task()
    moment = hearing.starting(task)
    number = hearing.number(Action("x"))
    assert number
    hearing.resume(moment)
    hearing.add(task, "x")
    hearing.started(task)
    assert hearing.take(number, Action("x")) == [task]
    assert hearing.number(Action("y")) == 0


def test_a_task_that_waits_for_something_else_by_now_is_not_answered() -> None:
    """A Take that was cancelled or timed out leaves nothing behind."""
    hearing, task, dropped = Heard(), a_task(), a_task()
    hearing.add(task, "x")
    hearing.add(dropped, "x")
    hearing.drop(dropped, "x")
    task.epoch += 1
    assert hearing.take(hearing.number(Action("x")), Action("x")) == []


def test_what_a_saga_puts_after_another_began_to_wait_is_heard_by_that_one() -> None:
    """A child that its parent forked on the same way hears the parent's later puts, not the earlier ones."""
    hearing, child, parent = Heard(), a_task(), a_task()
    hearing.add(a_task(), "x")

    def put() -> int:
        hearing.putting = Action("x")
        return hearing.number(hearing.putting)

    hearing.resume(hearing.applied)
    before = put()
    hearing.add(child, "x")
    after = put()
    hearing.add(parent, "x")
    assert child not in hearing.take(before, Action("x"))
    assert hearing.take(after, Action("x")) == [child]
    assert hearing.take(hearing.number(Action("x")), Action("x")) == [parent]


def test_putting_very_many_costs_each_the_same() -> None:
    """A saga that puts 200,000 actions without a pause is not slowed down by its own memory of them."""
    hearing, task = Heard(), a_task()
    hearing.add(a_task(), "x")
    hearing.putting = action = Action("x")
    numbers = [hearing.number(action) for _ in range(200_000)]
    hearing.add(task, "x")
    assert not any(task in hearing.take(number, action) for number in numbers)
