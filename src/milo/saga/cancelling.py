"""How a saga is called off: its children first, a Call that can be interrupted given time to end.

Every function here is a step of the runner, under its baton.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from milo.saga.effects import SagaCancelled
from milo.saga.ports import Job

if TYPE_CHECKING:
    from milo.saga.task import SagaTask

__all__ = ["cancel", "overrun", "throw"]

_MOST_LINGER_AFTER_LIMIT_S = 1.0


def cancel(task: SagaTask) -> None:
    """Throw SagaCancelled into a saga where it waits, and into everything attached to it before."""
    if task.done() or task.cancelling:
        return
    task.cancelling = True
    if not task.children:
        throw(task)
        return
    inbox = task.runner.inbox
    for child in list(task.children):
        inbox.append((cancel, (child,)))
    # Behind the children in the inbox, so that their cleanup comes before the parent's.
    inbox.append((throw, (task,)))


def throw(task: SagaTask) -> None:
    """The second half of `cancel`: its children have been told."""
    if task.ended:
        task.was_cancelled = task.error is None
        return
    # Those it forked after it was cancelled and before it hears of it; what its cleanup forks is left alone.
    for child in task.children or ():
        task.runner.inbox.append((cancel, (child,)))
    _interrupt(task, SagaCancelled())


def overrun(job: Job, limit_s: float) -> None:
    """The time of a Call is up."""
    task: SagaTask = job.task
    if task.epoch == job.epoch and task.interruption is None:
        # Whoever set a limit wants to go on soon after it.
        job.linger = min(job.linger, _MOST_LINGER_AFTER_LIMIT_S)
        _interrupt(task, TimeoutError(f"timed out after {limit_s:g} s"))


def _interrupt(task: SagaTask, error: BaseException) -> None:
    """Call off what a saga waits for and throw `error` into it, after a Call that can end by itself."""
    if task.interruption is not None:
        # It is ending already.
        task.interruption = error
        return
    wait, runner = task.wait, task.runner
    linger_s = wait.cancel() if wait is not None else None
    if isinstance(wait, Job):
        runner.called_off = True
    if linger_s and isinstance(wait, Job):
        task.interruption = error
        give_up = partial(runner.send, _give_up, (wait,))
        wait.timer = runner.clock.call_at(runner.clock.now() + linger_s, give_up)
    else:
        runner.advance(task, None, error)


def _give_up(job: Job) -> None:
    """A Call has not ended in the time it was given."""
    task: SagaTask = job.task
    if task.epoch == job.epoch:
        job.drop()
        task.runner.resume(task, job.epoch, None, None)
