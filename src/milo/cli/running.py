"""Running: a pipeline, its journal and its views put together as the settings ask, and the exit status of it all."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from milo.cli.app import Invocation
from milo.cli.detail import run_in_detail
from milo.cli.loading import load_pipeline
from milo.cli.mode import wants_live
from milo.cli.notes import Notes
from milo.cli.options import find_target
from milo.cli.parameters import parse
from milo.cli.placing import placed, preload
from milo.cli.recording import Unfinished, plan_lines
from milo.cli.settings import Settings
from milo.cli.showing import views_of
from milo.cli.signals import INTERRUPTED
from milo.cli.stdio import OutputError
from milo.cli.target import resolved
from milo.execution import capture_output
from milo.execution.guard import hurry
from milo.journal import JournalError
from milo.session import Session
from milo.session.recording import JournalOptions, Recording, begin
from milo.session.recording import resume as resume_run
from milo.session.workers import released_on_error
from milo.views.format import Output

if TYPE_CHECKING:
    from milo.pipeline import Pipeline
    from milo.saga.ports import Executor
    from milo.views.detail import DetailView

__all__ = ["carry_out"]

_STATUS = {"completed": 0, "failed": 1, "cancelled": INTERRUPTED}
_UNWRITTEN = 1


def carry_out(settings: Settings, out: Output) -> int:
    """Do what the settings ask, and say what could not be shown of it.

    Args:
        settings: What was asked for.
        out: Where the run is shown.

    Returns:
        The exit status: that of the run; but 1 where what it writes is what it was for, and could not be written.
    """
    status = _run(settings, out)
    if out.error is None:
        return status
    with suppress(OSError):  # nobody reads stderr either
        click.echo(f"milo: {OutputError(out.error)}", err=True)
    return status or (_UNWRITTEN if settings.json or settings.dry_run else 0)


def _run(settings: Settings, out: Output) -> int:
    # Before the pipeline is loaded, so that logging handlers which its file makes are routed as well.
    with capture_output():
        asked = _asked(settings)
        preload(settings.executor)
        pipeline = load_pipeline(asked.target, asked.pairs)
        if asked.phases:
            pipeline = pipeline.subset(asked.phases)
        if settings.dry_run:
            out.write(_plan(pipeline, settings.json))
            return 0
        live = wants_live(
            os.environ,
            tty=out.isatty(),
            plain=settings.plain or settings.json or settings.quiet or settings.tui or settings.github,
        )
        pipeline = pipeline.replace(capture_output=True)
        with released_on_error(placed(settings.executor, pipeline, settings.jobs)) as workers:
            return _run_noted(pipeline, settings, asked, out, live, workers)


def _run_noted(
    pipeline: Pipeline, settings: Settings, asked: _Asked, out: Output, live: bool, workers: Executor
) -> int:
    notes = Notes(settings.mask)
    recording = _recording(pipeline, settings, asked, notes)
    if recording is not None and recording.plan is not None and not (settings.json or settings.quiet):
        out.write(plan_lines(recording.run_id, recording.plan))
    notes.hold()
    try:
        return _run_recorded(pipeline, settings, out, live, workers, recording)
    finally:
        notes.release()


def _run_recorded(
    pipeline: Pipeline,
    settings: Settings,
    out: Output,
    live: bool,
    workers: Executor,
    recording: Recording | None,
) -> int:
    views = views_of(pipeline, settings, out, live, workers.workers, recording)
    # The detail view has the screen to its end; the summary is written when it is gone.
    after = views.pop() if settings.tui else None
    invocation = click.get_current_context().ensure_object(Invocation)
    session = Session(
        pipeline,
        executor=workers,
        keep_going=settings.keep_going,
        grace=settings.grace,
        mask=settings.mask,
        views=views,
        recording=recording,
        traces=invocation.debug,
    )
    with ExitStack() as stack:
        if invocation.signals is not None:
            terminal = out.fileno() if live else None
            stack.enter_context(invocation.signals.cancelling(session.cancel, hurry, terminal))
        try:
            if after is None:
                result = session.run()
            else:
                cancel = session.cancel if invocation.signals is None else invocation.signals.cancel
                result = run_in_detail(session, cast("DetailView", views[0]), after, out, cancel)
            status = result.state.status
        except JournalError as error:
            # What runs first is refused with another status: here something has run.
            click.echo(f"milo: {error}", err=True)
            status = "failed"
    invocation.left_behind = session.left_behind
    return _STATUS.get(status, 1)


@dataclass(frozen=True)
class _Asked:
    """What is to be run, and the run to go on with."""

    target: str
    pairs: tuple[str, ...]
    phases: tuple[str, ...]
    run: str | None = None


def _asked(settings: Settings) -> _Asked:
    journaling = settings.journaling
    if journaling.resume is None or journaling.path is None:
        target, phases = find_target(settings.words, settings.config)
        return _Asked(target, settings.params, tuple(phases))
    if journaling.resume and not settings.words:
        before = Unfinished(journaling.path, journaling.resume, "")
        return _Asked(before.target, settings.params or before.pairs, before.only, before.run)
    target, phases = find_target(settings.words, settings.config)
    before = Unfinished(journaling.path, journaling.resume, "" if journaling.resume else resolved(target))
    return _Asked(target, settings.params or before.pairs, tuple(phases) or before.only, before.run)


def _recording(pipeline: Pipeline, settings: Settings, asked: _Asked, notes: Notes) -> Recording | None:
    journaling = settings.journaling
    if journaling.path is None:
        return None
    options = JournalOptions(
        journaling.path,
        required=journaling.required,
        durability=journaling.durability,
        target=resolved(asked.target),
        parameters={name: ", ".join(values) for name, values in parse(asked.pairs).items()},
        only=asked.phases,
        options={"params": asked.pairs},
        keep=journaling.keep,
        on_message=notes.say,
    )
    return begin(pipeline, options) if asked.run is None else resume_run(pipeline, options, asked.run)


def _plan(pipeline: Pipeline, as_json: bool) -> str:
    order = pipeline.execution_order()
    if as_json:
        return json.dumps({"pipeline": pipeline.name, "phases": order}) + "\n"
    return "".join(f"{name}\n" for name in order)
