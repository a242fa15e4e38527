"""The runner: advances sagas one at a time, on whatever thread has the baton."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any

from milo.action import SAGA_ERROR, Action
from milo.clock import Clock
from milo.errors import StateError
from milo.log import log
from milo.saga import cancelling
from milo.saga.channel import Channel
from milo.saga.effects import Effect, SagaCancelled, SagaSource
from milo.saga.handlers import HANDLERS, WAIT
from milo.saga.hearing import Hearing
from milo.saga.ports import Executor, Job
from milo.saga.task import Owner, SagaTask
from milo.text import safe_text

__all__ = ["SagaRunner"]


class SagaRunner:
    """Interprets effects by a table and advances generators under one baton.

    Threads: `start`, `cancel`, `complete`, `look` and `hear` may be called from anywhere; they append to the inbox.
    Everything else happens on the thread that has the baton: a worker that has just completed a Call, or the
    clock's thread, never the main thread. Nobody waits for the baton: who cannot take it has appended already, and
    the holder looks again after letting go.

    Args:
        dispatch: Applies an action before it returns.
        post: Applies an action soon, in order; for log lines.
        get_state: Gives the state for Select.
        clock: Serves Delay and timeouts, and runs the sagas that no worker woke.
        executor: Runs Calls.
        handlers: The table from effect type to what it does.
        context: The context variables that Calls see; a copy of the caller's by default.
    """

    def __init__(
        self,
        dispatch: Callable[[Action], object],
        post: Callable[[Action], object],
        get_state: Callable[[], Any],
        clock: Clock,
        executor: Executor,
        *,
        handlers: Mapping[type[Effect], Callable[[Any, SagaTask, Any], Any]] = HANDLERS,
        context: Context | None = None,
    ) -> None:
        self.dispatch = dispatch
        self.post = post
        self.get_state = get_state
        self.clock = clock
        self.executor = executor
        self.context = context if context is not None else copy_context()
        self._handlers = handlers
        self._baton = threading.Lock()
        self._carrier = 0
        # What is to be done next under the baton; everybody may append.
        self.inbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._paused: list[tuple[SagaTask, Any]] = []
        self._tasks: dict[int, SagaTask] = {}
        self._numbers = itertools.count(1)  # tasks are made by many threads
        self._closed = False
        # Whether a Call was ever told to end: what it has started may go on whatever became of the Call itself.
        self.called_off = False
        self.hearing = Hearing(self._wanted)

    # From any thread.

    def start(self, source: SagaSource) -> SagaTask:
        """Start a saga (a generator, or a callable that returns one) by itself; returns its task at once."""
        task = self.new_task(source, None)
        self.send(self._begin, (task, self.hearing.starting(task)))
        return task

    def cancel(self, task: SagaTask) -> None:
        """Throw SagaCancelled into a saga where it waits, and into everything attached to it before."""
        self.send(cancelling.cancel, (task,))

    def complete(self, job: Job, value: Any, error: BaseException | None, *, carry: bool) -> None:
        """Take the outcome of a Call; with `carry` this thread advances the saga at once if it can."""
        if job.timer is not None:
            job.timer.cancel()
        self.inbox.append((self.resume, (job.task, job.epoch, value, error)))
        if carry:
            self._drain()
        else:
            self.poke()

    def look(self, task: SagaTask, epoch: int, channel: Channel) -> None:
        """Let a saga that waits for `channel` look whether there is something for it."""
        self.send(self._look, (task, epoch, channel))

    def wake(self, task: SagaTask, epoch: int, value: Any = None, error: BaseException | None = None) -> None:
        """Answer the wait number `epoch` of a saga; too late an answer is dropped."""
        self.send(self.resume, (task, epoch, value, error))

    @property
    def hear(self) -> Callable[[Action], None]:
        """Notes an action that was just applied; the store calls it in its turn, one action after the other."""
        return self.hearing.note

    def poke(self) -> None:
        """See to it that somebody empties the inbox, if there is anything in it."""
        if self.inbox and not self._baton.locked():
            self.clock.call_soon(self._drain_and_wake)

    def refuse_inside_saga(self, what: str) -> None:
        """Raise StateError when called on the thread that is advancing sagas just now."""
        if self._carrier == threading.get_ident():
            raise StateError(
                f"A saga cannot {what} by blocking: it would wait for itself.",
                hint="Yield Join(task) instead.",
            )

    def close(self, timeout: float = 1.0) -> None:
        """Cancel every saga, let their cleanup run to its first wait (for `timeout` seconds at most), and stop."""
        cancelled = threading.Event()
        for task in list(self._tasks.values()):
            if task.owner is None:
                self.inbox.append((cancelling.cancel, (task,)))
        self.send(self._last_call, (cancelled,))
        if self._carrier == threading.get_ident():
            # A saga closes its own runner: the others hear of it, and all is finished, when this one has let go.
            self._closed = True
        else:
            cancelled.wait(timeout)
            self._finish()

    def _finish(self) -> None:
        self._closed = True
        for task in list(self._tasks.values()):
            task.was_cancelled = True
            task.set_done()
        self._tasks.clear()

    # Under the baton, for the effects' handlers.

    def new_task(self, source: SagaSource, owner: Owner | None) -> SagaTask:
        """Make the task of a saga without starting it."""
        if self._closed:
            raise StateError("This store was shut down and runs no more sagas.", hint="Make a new Store.")
        generator = source() if callable(source) else source
        if not hasattr(generator, "send") or not hasattr(generator, "throw"):
            raise StateError(
                f"A saga must be a generator or a callable that returns one, got {generator!r}.",
                hint="Write it as a function with `yield`, and pass the function or what calling it returns.",
            )
        task = SagaTask(self, generator, next(self._numbers), owner)
        self._tasks[task.id] = task
        return task

    def start_before(self, parent: SagaTask, child: SagaTask) -> None:
        """Run `child` to its first wait now; `parent` goes on after it, with the child's task as the answer."""
        self._paused.append((parent, child))
        self._paused.append((child, None))

    def adopt(self, parent: SagaTask, child: SagaTask) -> None:
        """Let `parent` end after `child` and cancel it when it is cancelled."""
        if parent.children is None:
            parent.children = {}
        parent.children[child] = None

    def start_child(self, parent: SagaTask, source: SagaSource, owner: Owner) -> SagaTask:
        """Start a saga that `parent` waits for, once the parent has been put to rest."""
        child = self.new_task(source, owner)
        self.adopt(parent, child)
        self.inbox.append((self.resume, (child, child.epoch, None, None)))
        return child

    def cancel_and_return(self, task: SagaTask, target: SagaTask) -> None:
        """Cancel `target`, and let `task` go on when it has been told."""
        self.inbox.append((cancelling.cancel, (target,)))
        self.inbox.append((self.resume, (task, task.epoch, None, None)))

    def interrupt(self, task: SagaTask, error: BaseException) -> None:
        """End `task` with a child's error: its cleanup runs, its other children are cancelled."""
        if task.error is None:
            task.error = error
        self.inbox.append((cancelling.cancel, (task,)))

    # Under the baton, for the runner itself.

    def send(self, step: Callable[..., None], args: tuple[Any, ...]) -> None:
        if not self._closed:
            self.inbox.append((step, args))
            self.poke()

    def _drain(self) -> None:
        """Do what is in the inbox, if nobody else is at it. A worker then looks at the new Calls by itself."""
        inbox = self.inbox
        baton = self._baton
        wake = self.executor.wake
        hearing = self.hearing
        while inbox and baton.acquire(False):
            self._carrier = threading.get_ident()
            try:
                while inbox:
                    step, args = inbox.popleft()
                    hearing.resume(hearing.applied)
                    try:
                        step(*args)
                    except Exception:  # noqa: BLE001 - one broken step must not stop the others
                        log.exception("The saga runner failed in a step; the sagas go on")
                    if inbox:
                        wake()
            finally:
                self._carrier = 0
                baton.release()
            # What was appended while the baton was held and after the last look is seen here.

    def _drain_and_wake(self) -> None:
        """Drain on a thread that is no worker, so that a worker has to be told of new Calls."""
        self._drain()
        self.executor.wake()

    def _begin(self, task: SagaTask, moment: int) -> None:
        self.hearing.resume(moment)
        if not task.epoch and not self._closed:
            self.advance(task, None)
        self.hearing.started(task)

    def resume(self, task: SagaTask, epoch: int, value: Any, error: BaseException | None) -> None:
        if task.epoch == epoch and not self._closed:
            if task.interruption is not None:
                value, error, task.interruption = None, task.interruption, None
            self.advance(task, value, error)

    def advance(self, task: SagaTask, value: Any, error: BaseException | None = None) -> None:
        """Run a saga until it waits or ends, and whoever it started or paused on the way."""
        paused = self._paused
        handlers = self._handlers
        task.epoch += 1
        task.wait = None
        send = task.generator.send
        while True:
            try:
                effect = send(value) if error is None else task.generator.throw(error)
            except StopIteration as stop:
                self._end(task, stop.value, None)
            except BaseException as raised:  # noqa: BLE001 - it is the saga's end, and its task keeps it
                self._end(task, None, raised)
            else:
                error = None
                handler = handlers.get(effect.__class__)
                if handler is None:
                    error = StateError(
                        f"A saga yielded {effect!r}, which is not an effect.",
                        hint="Yield Put, Call, Fork, ...",
                    )
                    continue
                try:
                    value = handler(self, task, effect)
                except BaseException as raised:  # noqa: BLE001 - thrown into the saga that asked for it
                    error = raised
                    continue
                if value is not WAIT:
                    continue
            if not paused:
                return
            task, value = paused.pop()
            error = None
            send = task.generator.send

    def _end(self, task: SagaTask, value: Any, error: BaseException | None) -> None:
        """The generator has ended; the task ends when its children have."""
        task.ended = True
        task.epoch += 1
        interrupted = task.error is not None
        if task.cancelling and not interrupted and (error is None or isinstance(error, SagaCancelled)):
            task.was_cancelled = True
        elif interrupted:
            if error is not None and not isinstance(error, SagaCancelled):
                log.error("A saga failed in its cleanup", exc_info=error)
        elif isinstance(error, SagaCancelled):
            task.was_cancelled = True
        elif error is not None:
            task.error = error
            for child in task.children or ():
                self.inbox.append((cancelling.cancel, (child,)))
        else:
            task.value = value
        if not task.children:
            self._settle(task)

    def _settle(self, task: SagaTask) -> None:
        """The task and all its children have ended: tell whoever waits."""
        self._tasks.pop(task.id, None)
        owner = task.owner
        if owner is not None:
            owner.settled(task)
        elif task.error is not None and not task.was_cancelled:
            self._report(task, task.error)
        task.set_done()
        for joiner, epoch in task.joiners or ():
            self.inbox.append((self.resume, (joiner, epoch, *task.outcome())))
        task.joiners = None

    def child_settled(self, parent: SagaTask, child: SagaTask) -> None:
        """`child` no longer keeps `parent` from ending."""
        if parent.children is not None:
            parent.children.pop(child, None)
            if parent.ended and not parent.children and not parent.done():
                self.inbox.append((self._settle_once, (parent,)))

    def _settle_once(self, task: SagaTask) -> None:
        if not task.done():
            self._settle(task)

    def _report(self, task: SagaTask, error: BaseException) -> None:
        try:
            payload = {"error": safe_text(str(error)), "type": type(error).__name__, "saga_id": task.id}
            self.dispatch(Action(SAGA_ERROR, payload))
        except BaseException as refused:  # noqa: BLE001 - whatever it is, the task has to end
            log.error("A saga failed", exc_info=error)
            log.error("The store would not take its %s", SAGA_ERROR, exc_info=refused)

    def _look(self, task: SagaTask, epoch: int, channel: Channel) -> None:
        if task.epoch != epoch:
            channel.wake_next()
            return
        item = channel.take_now()
        if item:
            if task.wait is not None:
                task.wait.cancel()
            self.advance(task, item[0])
        else:
            channel.wait(task, epoch)
            channel.wake_next()

    def expire(self, task: SagaTask, epoch: int) -> None:
        """The time of a Take is up; for its timer."""
        self.send(self._expire, (task, epoch))

    def _expire(self, task: SagaTask, epoch: int) -> None:
        if task.epoch == epoch and task.wait is not None:
            task.wait.cancel()
            self.advance(task, None, TimeoutError("Nothing was there to take in time."))

    def _wanted(self, number: int, action: Action) -> None:
        self.inbox.append((self._deliver, (number, action)))

    def _deliver(self, number: int, action: Action) -> None:
        for task in self.hearing.take(number, action):
            if task.wait is not None:
                task.wait.cancel()
            self.hearing.resume(number)
            self.advance(task, action)

    def _last_call(self, cancelled: threading.Event) -> None:
        # Cleanup that the cancellations have put into the inbox meanwhile comes first.
        if self.inbox and any(step in (cancelling.cancel, cancelling.throw) for step, _ in self.inbox):
            self.inbox.append((self._last_call, (cancelled,)))
        else:
            cancelled.set()
            if self._closed:
                self._finish()
