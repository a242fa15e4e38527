"""What the runner is handed from outside: an executor for Calls, and the job it gives to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from milo.action import Action
    from milo.clock import Clock, Timer
    from milo.saga.effects import Call
    from milo.saga.task import SagaTask

from milo.log import log
from milo.saga.checks import not_callable

__all__ = ["Executor", "Job", "JobHost", "current_job"]

current_job: ContextVar[Job | None] = ContextVar("milo_current_job", default=None)
"""The Call that the running code belongs to; follows it into coroutines and copied contexts."""


class Executor(Protocol):
    """Where Calls run. `milo.execution` has threads; tests have virtual time."""

    workers: int
    """How many Calls can run at once."""

    @property
    def abandoned(self) -> int:
        """How many workers are busy with Calls that were dropped."""

    def submit(self, job: Job) -> None:
        """Queue `job`. Nobody needs to be woken: `wake` follows, or the calling worker looks by itself."""

    def wake(self) -> None:
        """See to it that somebody looks at the queue, if anything is in it."""

    def run_coroutine(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await `coroutine` in the current context and deliver its outcome to `job`."""

    def abandon(self, job: Job) -> None:
        """`job` was dropped while it ran: whatever holds it no longer counts as one of `workers`."""

    def close(self) -> None:
        """Let idle workers end; do not wait for busy ones."""


class JobHost(Protocol):
    """What a job asks of the runner that made it."""

    clock: Clock
    executor: Executor
    context: Context

    @property
    def dispatch(self) -> Callable[[Action], object]: ...

    @property
    def post(self) -> Callable[[Action], object]: ...

    def complete(self, job: Job, value: Any, error: BaseException | None, *, carry: bool) -> None: ...


_registering = threading.Lock()


class Job:
    """One Call on its way: what to call, who waits for it, and whether it was cancelled.

    Made under the runner's baton, run by one worker, cancelled from any thread.
    """

    # What only few jobs ever come to need is the class's until then: tens of thousands are made.
    timer: Timer | None = None
    cancelled = False  # it was told to end
    dropped = False  # nobody takes its outcome any more
    heeds = False  # it looks at `cancelled` by itself
    _running = False
    _abandoned = False
    _coroutine = False
    _callbacks: dict[object, Callable[[], None]] | None = None

    def __init__(self, host: JobHost, task: SagaTask, call: Call) -> None:
        self.host = host
        self.task = task
        self.epoch = task.epoch
        self.call = call
        self.linger = call.linger

    @property
    def fn(self) -> Callable[..., Any]:
        """What is called."""
        return self.call.fn

    def run(self) -> None:
        """Make the call on this thread, in its own copy of the host's context, and deliver the outcome."""
        # Noted before the look: of a cancellation at the same time, either this sees it or it sees this run.
        self._running = True
        if self.cancelled:
            return
        value, error = self.host.context.copy().run(self._invoke)
        self._running = False
        if not self._coroutine:
            self.host.complete(self, value, error, carry=True)

    def _invoke(self) -> tuple[Any, BaseException | None]:
        current_job.set(self)
        try:
            call = self.call
            value = call.fn(*call.args, **call.kwargs)
            if value.__class__ is CoroutineType:
                self._coroutine = True
                self.host.executor.run_coroutine(self, value)
                return None, None
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the saga that asked
            self._coroutine = False
            if not callable(self.call.fn):
                # Looked at here: it would cost every Call that is made.
                return None, not_callable("Call", self.call.fn)
            return None, error
        return value, None

    def deliver(self, value: Any, error: BaseException | None) -> None:
        """Hand over the outcome of a coroutine, from a thread that must not run sagas."""
        self.host.complete(self, value, error, carry=False)

    def cancel(self) -> float:
        """Tell the call to end.

        Returns:
            For how many seconds it is worth waiting for: `linger` where something has been told that can end it, and
            0.0 where nothing has; then it is dropped.
        """
        with _registering:
            if self.cancelled:
                return 0.0
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks or {}, None
            can_end = self._coroutine or (self._running and (self.heeds or bool(callbacks)))
        for callback in callbacks.values():
            try:
                callback()
            except Exception:  # noqa: BLE001 - the saga that is being cancelled must hear of it all the same
                log.exception("A call could not be told that it was cancelled")
        if can_end and self.linger:
            return self.linger
        self.drop()
        return 0.0

    def drop(self) -> None:
        """Nobody takes its outcome or its output any more, and its worker is no longer counted."""
        with _registering:
            if self.dropped:
                return
            self.dropped = True
            self._abandoned = self._running
        if self._abandoned:
            self.host.executor.abandon(self)

    def was_abandoned(self) -> bool:
        """Whether it was dropped while a thread was busy with it; ask when that thread is back."""
        with _registering:
            return self._abandoned

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the job is cancelled, at once if it has been; returns what takes that back.

        As long as it is registered, the job counts as one that can be interrupted.
        """
        key = object()
        with _registering:
            if not self.cancelled:
                if self._callbacks is None:
                    self._callbacks = {}
                self._callbacks[key] = callback
                return partial(self._forget, key)
        callback()
        return _nothing

    def _forget(self, key: object) -> None:
        with _registering:
            if self._callbacks is not None:
                self._callbacks.pop(key, None)


def _nothing() -> None:
    """Takes back what was never registered."""
