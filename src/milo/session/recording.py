"""Recording: a run and its journal brought together, from the first run of it to the one that completes it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from milo.action import Action
from milo.errors import StateError
from milo.journal import (
    About,
    DeclaredPhase,
    Durability,
    Journal,
    JournalError,
    Plan,
    Recorder,
    Taken,
    declare,
)
from milo.pipeline import PHASE_COMPLETE, PIPELINE_END, Pipeline, PipelineState
from milo.pipeline.pipeline import new_run_id
from milo.pipeline.run import Resumption

__all__ = ["JournalOptions", "Recording", "begin", "resume"]


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """Where and how a run is recorded.

    Attributes:
        path: The journal's file.
        required: Whether a run that cannot be recorded must fail; otherwise it goes on with a warning.
        durability: "process": what is recorded survives the death of any process; "power": also that of the machine.
        serializer: "pickle" to pickle results that the codec does not know.
        target: What was run, as the command line resolved it; "" for a pipeline of a program.
        parameters: What the function that made the pipeline was given.
        only: The phases that were asked for.
        options: Anything else that is worth keeping of how it was run.
        keep: How many runs the journal keeps; None for all.
        on_message: Called with what a person should know, from any thread.
    """

    path: Path
    required: bool = True
    durability: Durability = "process"
    serializer: str = ""
    target: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    keep: int | None = None
    on_message: Callable[[str], object] = lambda message: None

    def open(self) -> Journal:
        """Open the journal, made if there is none. Raises JournalError."""
        return Journal(
            self.path,
            durability=self.durability,
            serializer=self.serializer,
            on_message=self.on_message,
        )

    def on_unkept(self, phase: str, message: str) -> None:
        """Say that a result cannot be kept."""
        self.on_message(f"{message} Phase {phase!r} runs again when the run is resumed.")

    def about(self, pipeline: Pipeline, *, resumed: bool) -> About:
        """What is recorded of the process that runs `pipeline` now."""
        from milo import __version__

        return About(
            pipeline.name,
            target=self.target,
            parameters=self.parameters,
            only=self.only,
            options=self.options,
            cwd=os.getcwd(),
            pid=os.getpid(),
            host=socket.gethostname(),
            milo=__version__,
            time=time.time(),
            resumed=resumed,
        )


class Recording:
    """The journal of one run, as the run sees it.

    Threads: `record` and `finish` are the outbox's, `snapshot` is for any, `close` comes after them.

    Attributes:
        run_id: The run's name.
        resumption: What an earlier part of the run has left; None for a new run.
        plan: What becomes of each phase, and why; None for a new run.
        state: The state in which the earlier part ended; None for a new run.
        error: Why nothing is recorded any more; None while it is.
        failed: Called, once, when recording fails on the way and the run must not go on.
    """

    def __init__(
        self,
        run_id: str,
        pipeline: Pipeline,
        recorder: Recorder,
        options: JournalOptions,
        resumption: Resumption | None = None,
        plan: Plan | None = None,
        state: PipelineState | None = None,
    ) -> None:
        self.run_id = run_id
        self.resumption = resumption
        self.plan = plan
        self.state = state
        self.error: JournalError | None = None
        self.failed: Callable[[], object] = lambda: None
        self._reducer = pipeline.build_reducer()
        self._recorder = recorder
        self._options = options
        self._closing = threading.Lock()

    @property
    def required(self) -> bool:
        """Whether the run must fail when it cannot be recorded."""
        return self._options.required

    def output_path(self, phase: str) -> Path:
        """Where the complete output of a phase stands."""
        return self._recorder.output_path(phase)

    def snapshot(self, action: Action) -> None:
        """Take the result in `action`, if there is one, before later phases may change it."""
        if action.type == PHASE_COMPLETE and self.error is None:
            payload = action.payload
            self._recorder.snapshot(payload["name"], payload.get("result"))

    def record(self, actions: Sequence[Action]) -> bool:
        """Make actions durable; returns whether they may be told of: not if they had to be, and could not."""
        if self.error is None and actions:
            try:
                self._recorder.record(actions)
            except JournalError as error:
                self._give_up(error)
        return self.error is None or not self.required

    def finish(self, state: PipelineState) -> PipelineState:
        """Note what the run came to; returns the state to tell of: no completion that had to be durable and is not."""
        if self.error is None:
            try:
                self._recorder.finish(state)
            except JournalError as error:
                self._give_up(error)
        if self.error is not None and self.required and state.status == "completed":
            state = self._reducer(state, Action(PIPELINE_END, {"status": "failed"}))
        return state

    def _give_up(self, error: JournalError) -> None:
        self.error = error
        if self.required:
            self.failed()
        else:
            self._recorder.mark_gap()
            self._options.on_message(f"{error} The run goes on unrecorded, and cannot be resumed.")

    def close(self) -> None:
        """Release the journal and the run; safe any number of times."""
        with self._closing:
            self._recorder.close()


def begin(pipeline: Pipeline, options: JournalOptions) -> Recording | None:
    """Begin to record a new run of `pipeline`.

    Returns:
        The recording; None when it cannot be made and is not required, after saying why.

    Raises:
        JournalError: It cannot be made and is required.
    """
    try:
        journal = options.open()
        try:
            if options.keep is not None:
                journal.prune(max(0, options.keep - 1))
            run_id = new_run_id()
            about = options.about(pipeline, resumed=False)
            recorder = journal.begin(run_id, about, declare(pipeline), options.on_unkept)
        except BaseException:
            journal.close()
            raise
    except JournalError as error:
        if options.required:
            raise
        options.on_message(f"{error} The run goes on unrecorded, and cannot be resumed.")
        return None
    return Recording(run_id, pipeline, recorder, options)


def resume(pipeline: Pipeline, options: JournalOptions, run: str | None = None) -> Recording:
    """Take over a run of `pipeline` that is not finished.

    Args:
        pipeline: As it is declared today.
        options: Where the run is recorded.
        run: Its name, or the beginning of it; the newest unfinished run of the same pipeline and target by default.

    Raises:
        HeldError: Another process is at work on it.
        JournalError: There is no such run, or it cannot be resumed.
    """
    journal = options.open()
    try:
        taken = journal.take(run if run is not None else _newest(journal, pipeline, options))
        try:
            return _taken_over(taken, pipeline, options)
        except BaseException:
            taken.release()
            raise
    except BaseException:
        journal.close()
        raise


def _newest(journal: Journal, pipeline: Pipeline, options: JournalOptions) -> str:
    found = journal.unfinished(pipeline.name, options.target)
    if found is None:
        raise JournalError(
            f"There is nothing to resume: {options.path} holds no unfinished run of {pipeline.name!r}.",
            hint="Run it without resuming.",
        )
    return found.row.name


def _taken_over(taken: Taken, pipeline: Pipeline, options: JournalOptions) -> Recording:
    if taken.row.pipeline != pipeline.name:
        raise StateError(
            f"Run {taken.row.name} is one of the pipeline {taken.row.pipeline!r}, not of {pipeline.name!r}.",
            hint="Resume it with the pipeline that it belongs to.",
        )
    if taken.damage:
        options.on_message(f"The journal of run {taken.row.name} is damaged: {taken.damage}.")
    phases: list[DeclaredPhase] = declare(pipeline)
    plan, results = taken.plan(phases)
    recorder = taken.go_on(options.about(pipeline, resumed=True), phases, options.on_unkept)
    state = taken.recorded.state
    skipped = frozenset(name for name in plan.kept if state.phase(name).status == "skipped")
    kept = {name: result for name, result in results.items() if name not in skipped}
    resumption = Resumption(kept, skipped, tuple(plan.again))
    return Recording(taken.row.name, pipeline, recorder, options, resumption, plan, state)
