"""What each effect does: one function an effect, and the table that finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from milo.clock import Timer
from milo.errors import StateError
from milo.saga import effects as fx
from milo.saga import helpers
from milo.saga.cancelling import overrun
from milo.saga.channel import Channel
from milo.saga.groups import Attached, First, Gather
from milo.saga.ports import Job
from milo.saga.task import SagaTask

if TYPE_CHECKING:
    from milo.saga.runner import SagaRunner

__all__ = ["HANDLERS", "WAIT"]

WAIT: Final = object()
"""A handler's answer when the saga has to wait; whatever it waits for wakes it later."""


def _put(runner: SagaRunner, task: SagaTask, effect: fx.Put) -> None:
    hearing = runner.hearing
    # The saga's next Take does not hear what it has put itself.
    hearing.putting = action = effect.action
    try:
        runner.dispatch(action)
    finally:
        hearing.putting = None


def _call(runner: SagaRunner, task: SagaTask, effect: fx.Call) -> object:
    job = Job(runner, task, effect)
    task.wait = job
    if effect.timeout is not None:
        due = runner.clock.now() + effect.timeout
        job.timer = runner.clock.call_at(due, partial(runner.send, overrun, (job, effect.timeout)))
    runner.executor.submit(job)
    return WAIT


def _fork(runner: SagaRunner, task: SagaTask, effect: fx.Fork) -> object:
    owner = Attached(task) if effect.attached else None
    child = runner.new_task(effect.saga, owner)
    if owner is not None:
        runner.adopt(task, child)
    runner.start_before(task, child)
    return WAIT


def _join(runner: SagaRunner, task: SagaTask, effect: fx.Join) -> object:
    joined = _task_of(runner, effect, effect.task)
    if joined is task:
        raise StateError("A saga cannot Join itself: it would wait for ever.", hint="Join another task.")
    if joined.done():
        value, error = joined.outcome()
        if error is not None:
            raise error
        return value
    if joined.joiners is None:
        joined.joiners = []
    joined.joiners.append((task, task.epoch))
    return WAIT


def _cancel(runner: SagaRunner, task: SagaTask, effect: fx.Cancel) -> object:
    target = _task_of(runner, effect, effect.task)
    if target.done():
        return None
    runner.cancel_and_return(task, target)
    return WAIT


def _task_of(runner: SagaRunner, effect: fx.Effect, task: object) -> SagaTask:
    if not isinstance(task, SagaTask):
        raise StateError(
            f"{type(effect).__name__} needs a task, got {task!r}.",
            hint="Pass what Fork or run_saga answered.",
        )
    if task.runner is not runner:
        # Each runner advances its own sagas alone; two at one generator would be undone by each other.
        raise StateError(
            f"{type(effect).__name__} got a task of another store: {task!r}.",
            hint="Call its cancel(), or Call its result on a worker.",
        )
    return task


def _select(runner: SagaRunner, task: SagaTask, effect: fx.Select) -> Any:
    state = runner.get_state()
    return state if effect.selector is None else effect.selector(state)


class _Taking:
    """A Take that waits: what there is to undo when it is answered, timed out or cancelled."""

    __slots__ = ("action_type", "runner", "task", "timer")

    def __init__(
        self, runner: SagaRunner, task: SagaTask, action_type: str | None, timer: Timer | None
    ) -> None:
        self.runner = runner
        self.task = task
        self.action_type = action_type
        self.timer = timer

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.action_type is not None:
            self.runner.hearing.drop(self.task, self.action_type)


def _take(runner: SagaRunner, task: SagaTask, effect: fx.Take) -> object:
    source = effect.source
    if isinstance(source, Channel):
        item = source.take_now()
        if item:
            return item[0]
        source.wait(task, task.epoch)
        action_type = None
    elif isinstance(source, str):
        action_type = source
        runner.hearing.add(task, source)
    else:
        raise _no_source(effect, source)
    timer = None
    if effect.timeout is not None:
        timer = runner.clock.call_at(
            runner.clock.now() + effect.timeout, partial(runner.expire, task, task.epoch)
        )
    task.wait = _Taking(runner, task, action_type, timer)
    if isinstance(source, Channel):
        # Something may have been put between the look and the registration.
        source.wake_next()
    return WAIT


def _no_source(effect: fx.Effect, source: object) -> StateError:
    return StateError(f"{type(effect).__name__} needs an action type or a Channel, got {source!r}.")


def _delay(runner: SagaRunner, task: SagaTask, effect: fx.Delay) -> object:
    task.wait = runner.clock.call_at(
        runner.clock.now() + effect.seconds, partial(runner.wake, task, task.epoch)
    )
    return WAIT


def _all(runner: SagaRunner, task: SagaTask, effect: fx.All) -> object:
    if not effect.sagas:
        return ()
    Gather(runner, task, effect.sagas)
    return WAIT


def _race(runner: SagaRunner, task: SagaTask, effect: fx.Race) -> object:
    First(runner, task, effect.sagas)
    return WAIT


def _composed(
    helper: Callable[[Any], fx.Saga],
) -> Callable[[SagaRunner, SagaTask, Any], object]:
    """A handler that runs a helper saga in the place of the effect."""

    def handler(runner: SagaRunner, task: SagaTask, effect: Any) -> object:
        First(runner, task, (partial(helper, effect),))
        return WAIT

    return handler


def _watching(
    helper: Callable[[Any, Callable[[Any], fx.Saga]], fx.Saga],
) -> Callable[[SagaRunner, SagaTask, Any], object]:
    """A handler that starts a detached helper before the saga goes on; the answer is its task."""

    def handler(runner: SagaRunner, task: SagaTask, effect: Any) -> object:
        # Refused here, where the saga hears of it: nobody waits for the helper.
        if not isinstance(effect.action_type, str | Channel):
            raise _no_source(effect, effect.action_type)
        helping = partial(helper, effect.action_type, effect.saga)
        runner.start_before(task, runner.new_task(helping, None))
        return WAIT

    return handler


def _debounce(runner: SagaRunner, task: SagaTask, effect: fx.Debounce) -> object:
    if task.debounced is not None:
        runner.cancel(task.debounced)
    task.debounced = child = runner.new_task(partial(helpers.debounce, effect.seconds, effect.saga), None)
    runner.start_before(task, child)
    return WAIT


def _timeout(effect: fx.Timeout) -> fx.Saga:
    return helpers.timeout(effect.effect, effect.seconds)


HANDLERS: Final[Mapping[type[fx.Effect], Callable[[Any, SagaTask, Any], Any]]] = {
    fx.Put: _put,
    fx.Call: _call,
    fx.Fork: _fork,
    fx.Join: _join,
    fx.Cancel: _cancel,
    fx.Select: _select,
    fx.Take: _take,
    fx.Delay: _delay,
    fx.All: _all,
    fx.Race: _race,
    fx.Retry: _composed(helpers.retry),
    fx.Timeout: _composed(_timeout),
    fx.TryCall: _composed(helpers.try_call),
    fx.TakeEvery: _watching(helpers.take_every),
    fx.TakeLatest: _watching(helpers.take_latest),
    fx.Debounce: _debounce,
}
