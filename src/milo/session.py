"""The composition root: puts a pipeline, a store and views together, runs it, and hands over what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from milo.action import Action
from milo.clock import Clock, SystemClock
from milo.errors import StateError
from milo.execution import (
    Coroutines,
    CoroutineThread,
    LoopCoroutines,
    ThreadWorkers,
    capture_output,
    default_workers,
)
from milo.outbox import Outbox, View
from milo.pipeline import PIPELINE_END, Pipeline, PipelineState
from milo.pipeline.pipeline import new_run_id
from milo.saga.ports import Executor, current_job
from milo.saga.task import SagaTask
from milo.store import Middleware, Store

__all__ = ["RunResult", "Session", "View", "arun", "run"]

_ENDED = object()
_CANCEL = object()
_UNENDED = ("pending", "running")


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run.

    Attributes:
        state: The final state.
        results: What the phases that completed returned, by name.
        run_id: The run's name.
    """

    state: PipelineState
    results: dict[str, Any] = field(repr=False)
    run_id: str

    @property
    def ok(self) -> bool:
        """Whether the pipeline completed."""
        return self.state.status == "completed"


class Session:
    """One run of a pipeline, from its start to its result.

    Args:
        pipeline: What to run.
        max_workers: How many phases run at once; ``max(2, usable processors)`` by default.
        keep_going: Whether phases that do not depend on a failed one still run.
        only: Names of phases: these and what they need are run, as a pipeline of their own.
        on_state: Called with new states, from one thread at a time; it may miss some, never the last.
        views: Told of every action, from one thread.
        grace: Seconds that the end waits: for what was cancelled, and then for `on_state` and the views.
        clock: Where time comes from.
        executor: Where handlers run; threads of the run's own by default.
        coroutines: Where async handlers run; a loop of the run's own by default.
        context: The context variables that handlers see; a copy of the caller's by default.
        middleware: For the run's store, outside the session's own.

    Raises:
        StateError: An argument is refused.
        PipelineError: `only` names a phase that does not exist.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        max_workers: int | None = None,
        keep_going: bool = False,
        only: Iterable[str] = (),
        on_state: Callable[[PipelineState], object] | None = None,
        views: Iterable[View] = (),
        grace: float = 5.0,
        clock: Clock | None = None,
        executor: Executor | None = None,
        coroutines: Coroutines | None = None,
        context: Context | None = None,
        middleware: Iterable[Middleware] = (),
    ) -> None:
        if not isinstance(pipeline, Pipeline):
            raise StateError(
                f"run needs a Pipeline, got {pipeline!r}.", hint="Declare one: Pipeline(name, *phases)."
            )
        if isinstance(max_workers, bool) or not (max_workers is None or isinstance(max_workers, int)):
            raise StateError(f"max_workers must be a whole number, got {max_workers!r}.")
        if max_workers is not None and max_workers < 1:
            raise StateError(f"max_workers must be at least 1, got {max_workers!r}.")
        if (
            isinstance(grace, bool)
            or not isinstance(grace, int | float)
            or not math.isfinite(grace)
            or grace < 0
        ):
            raise StateError(f"grace must be a finite number of seconds, at least 0, got {grace!r}.")
        if on_state is not None and not callable(on_state):
            raise StateError(f"on_state must be callable, got {on_state!r}.")
        only = tuple(only) if not isinstance(only, str) else (only,)
        self.pipeline = pipeline.subset(only) if only else pipeline
        self.run_id = new_run_id()
        self.results: dict[str, Any] = {}
        self._max_workers = max_workers or default_workers()
        self._keep_going = keep_going
        self._grace = grace
        self._clock = clock if clock is not None else SystemClock()
        self._executor = executor
        self._coroutines = coroutines if coroutines is not None else CoroutineThread()
        self._context = context if context is not None else copy_context()
        self._middleware = tuple(middleware)
        self._outbox = Outbox(views, on_state)
        self._cleanup = contextlib.ExitStack()
        self._store: Store | None = None
        self._task: SagaTask | None = None
        self._news: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    # The steps of a run; `run` and `arun` differ only in how they wait.

    def start(self) -> SagaTask:
        """Start the run; returns the task of its saga."""
        if self._store is not None:
            raise StateError("This session has run already.", hint="Make a new one.")
        if self.pipeline.capture_output:
            self._cleanup.enter_context(capture_output())
        executor = self._executor or ThreadWorkers(self._max_workers, coroutines=self._coroutines)
        self._store = Store(
            self.pipeline.build_reducer(),
            middleware=(*self._middleware, *self._outbox.middlewares),
            clock=self._clock,
            executor=executor,
            context=self._context,
        )
        saga = self.pipeline.build_saga(
            max_workers=executor.workers,
            keep_going=self._keep_going,
            clock=self._clock,
            run_id=self.run_id,
            results=self.results,
        )
        self._task = task = self._store.run_saga(saga)
        task.on_done(partial(self._news.put, _ENDED))
        outer = current_job.get()
        if outer is not None:
            outer.on_cancel(self.cancel)
        return task

    def cancel(self) -> None:
        """Ask the run to end as `cancelled`; whoever is in `wait` sees to it.

        Returns at once. Safe from any thread and from a signal handler, for it only wakes: whatever lock the
        interrupted code may hold is not touched.
        """
        self._news.put(_CANCEL)
        if self._loop is not None:
            # A loop that was closed meanwhile has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._cancel_now)

    def _cancel_now(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def wait(self, task: SagaTask) -> None:
        """Wait until the run has ended, or for `grace` seconds after it was cancelled."""
        give_up: float | None = None
        while True:
            try:
                left_s = None if give_up is None else max(0.0, give_up - time.monotonic())
                news = self._news.get(timeout=left_s)
            except queue.Empty:
                return  # what is still busy is left behind: it runs on daemon threads
            if news is _ENDED:
                return
            self._cancel_now()
            give_up = time.monotonic() + self._grace

    def finish(self, task: SagaTask) -> RunResult:
        """Say the end to every observer, release everything, and hand over the result."""
        store = self._store
        if store is None:
            raise StateError("This session has not been started.")
        try:
            if task.done() and not task.cancelled() and task.error is not None:
                raise task.error
            state: PipelineState = store.get_state()
            if state.status != "completed":
                status = "cancelled" if self._cancelled or state.status in _UNENDED else state.status
                store.dispatch(Action(PIPELINE_END, {"status": status, "at": self._clock.now()}))
        finally:
            state = store.get_state()
            try:
                self._outbox.close(state, self._grace)
            finally:
                store.shutdown()
                self._cleanup.close()
        return RunResult(state, self.results, self.run_id)

    def run(self) -> RunResult:
        """Run to the end on this thread. KeyboardInterrupt cancels the run and is raised again."""
        try:
            task = self.start()
            self.wait(task)
        except BaseException:
            self._call_off()
            raise
        return self.finish(task)

    def _call_off(self) -> None:
        """Cancel after an interrupt and release everything; a second interrupt does not wait for the grace."""
        task = self._task
        if task is None:
            # It came in the middle of the start.
            if self._store is not None:
                self._store.shutdown()
            self._cleanup.close()
            return
        try:
            self.cancel()
            self.wait(task)
        finally:
            self.finish(task)

    async def arun(self) -> RunResult:
        """Run to the end without blocking the event loop. Cancelling the task cancels the run."""
        self._loop = loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        task = self.start()
        task.on_done(partial(_tell_loop, loop, ended))
        try:
            await ended.wait()
        except asyncio.CancelledError:
            self._cancel_now()
            # A second cancellation does not wait for the rest either.
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(ended.wait(), self._grace)
            await self._finish_beside(loop, task)
            raise
        return await self._finish_beside(loop, task)

    async def _finish_beside(self, loop: asyncio.AbstractEventLoop, task: SagaTask) -> RunResult:
        """`finish` on a thread of its own: the loop's default executor may be busy, or never get to it."""
        outcome: asyncio.Future[tuple[RunResult | None, BaseException | None]] = loop.create_future()

        def finish() -> None:
            try:
                told: tuple[RunResult | None, BaseException | None] = (self.finish(task), None)
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                told = (None, error)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                loop.call_soon_threadsafe(_resolve, outcome, told)

        threading.Thread(target=finish, name="milo-finish", daemon=True).start()
        result, error = await outcome
        if result is None:
            raise error or StateError("The run has no result.")
        return result


def _resolve(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _tell_loop(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    # A loop that was closed meanwhile has nobody who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended.set)


def run(
    pipeline: Pipeline,
    *,
    max_workers: int | None = None,
    executor: None = None,
    keep_going: bool = False,
    only: Iterable[str] = (),
    on_state: Callable[[PipelineState], object] | None = None,
    journal: None = None,
    resume: None = None,
    grace: float = 5.0,
) -> RunResult:
    """Run `pipeline` and wait for its end.

    A failing phase does not raise: look at ``result.ok`` and ``result.state``. May be called from any thread, and
    inside a handler, where it has workers of its own and is cancelled with the outer run.

    Args:
        pipeline: What to run.
        max_workers: How many phases run at once; ``max(2, usable processors)`` by default.
        executor: Reserved; phases run on threads.
        keep_going: Whether phases that do not depend on a failed one still run.
        only: Names of phases: these and what they need are run, as a pipeline of their own.
        on_state: Called with new states, from one thread at a time; it may miss some, never the last.
        journal: Reserved.
        resume: Reserved.
        grace: Seconds that the end waits: for what was cancelled, and then for `on_state`.

    Raises:
        StateError: An argument is refused, or an event loop runs in this thread.
        PipelineError: `only` names a phase that does not exist.
        KeyboardInterrupt: After the run was cancelled by it.
    """
    _refuse_reserved(executor=executor, journal=journal, resume=resume)
    if _running_loop() is not None:
        raise StateError(
            "run() would block the event loop that runs in this thread.",
            hint="Use `await milo.arun(...)` instead.",
        )
    return Session(
        pipeline, max_workers=max_workers, keep_going=keep_going, only=only, on_state=on_state, grace=grace
    ).run()


async def arun(
    pipeline: Pipeline,
    *,
    max_workers: int | None = None,
    executor: None = None,
    keep_going: bool = False,
    only: Iterable[str] = (),
    on_state: Callable[[PipelineState], object] | None = None,
    journal: None = None,
    resume: None = None,
    grace: float = 5.0,
) -> RunResult:
    """Like `run`, for asyncio programs.

    Async handlers run on the caller's loop, and cancelling the task cancels the run.
    """
    _refuse_reserved(executor=executor, journal=journal, resume=resume)
    loop = asyncio.get_running_loop()
    session = Session(
        pipeline,
        max_workers=max_workers,
        keep_going=keep_going,
        only=only,
        on_state=on_state,
        grace=grace,
        coroutines=LoopCoroutines(loop),
    )
    return await session.arun()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _refuse_reserved(**arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise StateError(
                f"{name}={value!r} is not supported by this version of milo.", hint=f"Leave {name} out."
            )
