"""Session: puts a pipeline, a store and views together, runs it once, and hands over what came of it."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from milo.action import Action
from milo.clock import Clock, SystemClock
from milo.errors import StateError
from milo.execution import Capture, Coroutines, current_capture
from milo.execution.groups import ProcessGroups, current_groups
from milo.mask import NO_MASK, Mask, current_mask
from milo.outbox import Outbox, View
from milo.pipeline import PHASE_CANCELLED, PIPELINE_END, PIPELINE_STOPPING, Pipeline, PipelineState
from milo.pipeline.pipeline import new_run_id
from milo.saga.ports import Executor, current_job
from milo.saga.task import SagaTask
from milo.session.arguments import check_arguments, check_declaration, check_executor
from milo.session.grace import LONGEST_S, Grace
from milo.session.news import News
from milo.session.workers import workers_for
from milo.store import Dispatch, GetState, Middleware, Store

if TYPE_CHECKING:
    from milo.session.recording import Recording

__all__ = ["RunResult", "Session"]

_ENDED = object()
_CANCEL = object()
_HURRY = object()
_UNENDED = ("pending", "running")
_STARTED = ("running", "retrying")


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
        executor: Where handlers run, as for `run`, or workers that are ready; threads of the run's own by default.
        coroutines: Where async handlers run; a loop of the run's own by default.
        context: The context variables that handlers see; a copy of the caller's by default.
        middleware: For the run's store, outside the session's own but for the mask.
        mask: Replaces secrets in lines of output and errors, before anything else sees them.
        recording: The run's journal, and what it holds of an earlier part of the run; the session closes it.
        traces: Whether the traceback of a failed attempt goes to the log of its phase.

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
        executor: object = None,
        coroutines: Coroutines | None = None,
        context: Context | None = None,
        middleware: Iterable[Middleware] = (),
        mask: Mask | None = None,
        recording: Recording | None = None,
        traces: bool = False,
    ) -> None:
        check_arguments(pipeline, max_workers, grace, on_state)
        only = tuple(only) if not isinstance(only, str) else (only,)
        self.pipeline = pipeline.subset(only) if only else pipeline
        self._recording = recording
        self._traces = traces
        self.run_id = recording.run_id if recording is not None else new_run_id()
        self.results: dict[str, Any] = {}
        check_executor(executor)
        self._max_workers = max_workers
        self._keep_going = keep_going
        self.grace = min(grace, LONGEST_S)
        self._clock = clock if clock is not None else SystemClock()
        self._executor = executor
        self._workers: Executor | None = None
        self.left_behind = False
        self._coroutines = coroutines
        self._context = context.copy() if context is not None else copy_context()
        groups = ProcessGroups()
        self._context.run(current_groups.set, groups)
        self._end = Grace(self.grace, groups)
        self._middleware = tuple(middleware)
        # What an outer run hides is hidden here as well.
        mask = current_mask.get() | (mask or NO_MASK)
        if mask:
            check_declaration(self.pipeline, mask)
            self._context.run(current_mask.set, mask)
            self._middleware = (_masking(mask), *self._middleware)
        self._outbox = Outbox(views, on_state, recording)
        self._cleanup = contextlib.ExitStack()
        self._store: Store | None = None
        self._task: SagaTask | None = None
        self._news = News()
        self._cancelled = False

    # The steps of a run; `run` and AsyncSession's `arun` differ only in how they wait.

    def start(self) -> SagaTask:
        """Start the run; returns the task of its saga."""
        self.refuse_again()
        recording = self._recording
        if recording is not None:
            recording.failed = self.cancel
            self._cleanup.callback(recording.close)
        if self.pipeline.capture_output:
            capture = Capture()
            self._cleanup.callback(capture.close)
            self._context.run(current_capture.set, capture)
        executor = self._workers = workers_for(
            self._executor, self.pipeline, max_workers=self._max_workers, coroutines=self._coroutines
        )
        self._store = Store(
            self.pipeline.build_reducer(),
            initial_state=recording.state if recording is not None else None,
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
            grace=self.grace,
            resumption=recording.resumption if recording is not None else None,
            traces=self._traces,
        )
        self._task = task = self._store.run_saga(saga)
        task.on_done(partial(self._news.put, _ENDED))
        outer = current_job.get()
        if outer is not None:
            # The outer run waits for this one to end.
            self._cleanup.callback(outer.on_cancel(self.cancel))
        return task

    def cancel(self) -> None:
        """Ask the run to end as `cancelled`; whoever is in `wait` sees to it.

        Returns at once. Safe from any thread and from a signal handler, for it only wakes: whatever lock the
        interrupted code may hold is not touched.
        """
        self._news.put(_CANCEL)

    def hurry(self) -> None:
        """Ask whoever is in `wait` to wait no longer. Safe from a signal handler, like `cancel`."""
        self._news.put(_HURRY)

    def cancel_now(self) -> None:
        if self._task is None or self._store is None:
            self._cancelled = True
            return
        self._end.begin()
        if not self._cancelled and not self._task.done():
            self._end.end_groups_beside()
            stopping = Action(PIPELINE_STOPPING, {"at": self._clock.now(), "grace": self.grace})
            # Posted: a listener that is stuck must not keep the run from being cancelled.
            self._store.post(stopping)
        self._cancelled = True
        self._task.cancel()

    def wait(self, task: SagaTask) -> None:
        """Wait until the run has ended, or for `grace` seconds after it was cancelled."""
        while True:
            try:
                news = self._news.get(self._end.left_s)
            except queue.Empty:
                return  # what is still busy is left behind: it runs on daemon threads
            if news is _ENDED:
                return
            if news is _HURRY:
                self._end.hurry()
                return
            self.cancel_now()

    def finish(self, task: SagaTask) -> RunResult:
        """Say the end to every observer, release everything, and hand over the result."""
        store = self._store
        if store is None:
            raise StateError("This session has not been started.")
        try:
            self._end.end_groups()
            if task.done() and not task.cancelled() and task.error is not None:
                raise task.error
            state: PipelineState = store.get_state()
            if state.status != "completed":
                if not task.done():
                    self._say_left_behind(store, state)
                status = "cancelled" if self._cancelled or state.status in _UNENDED else state.status
                if self._recording is not None and self._recording.error is not None:
                    status = "failed" if self._recording.required else status
                store.dispatch(Action(PIPELINE_END, {"status": status, "at": self._clock.now()}))
        finally:
            state = store.get_state()
            try:
                self._outbox.close(state, self.grace)
            finally:
                store.shutdown()
                self.left_behind = task.runner.called_off
                self._cleanup.close()
        if self._recording is not None and self._recording.required and self._recording.error is not None:
            raise self._recording.error
        return RunResult(state, self.results, self.run_id)

    def _say_left_behind(self, store: Store, state: PipelineState) -> None:
        """Say of each phase that nobody waits for any longer that it was cancelled: its saga gets no more time."""
        for phase in state.phases:
            if phase.status in _STARTED:
                store.dispatch(Action(PHASE_CANCELLED, {"name": phase.name, "at": self._clock.now()}))

    def refuse_again(self) -> None:
        if self._store is not None:
            raise StateError("This session has run already.", hint="Make a new one.")

    def run(self) -> RunResult:
        """Run to the end on this thread. KeyboardInterrupt cancels the run and is raised again."""
        self.refuse_again()
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
            elif self._workers is not None:
                self._workers.close()
            self._cleanup.close()
            return
        try:
            self.cancel()
            self.wait(task)
        finally:
            self.finish(task)


def _masking(mask: Mask) -> Middleware:
    def middleware(next_dispatch: Dispatch, get_state: GetState) -> Dispatch:
        return lambda action: next_dispatch(mask.action(action))

    return middleware
