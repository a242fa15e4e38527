"""`milo run`: settings, pipeline and views put together, and the exit status."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from milo.cli.app import Invocation
from milo.cli.ci import ci_option, stdout_for_github, wants_github
from milo.cli.config import load_config
from milo.cli.detail import detail_option, run_in_detail, wants_detail
from milo.cli.loading import load_pipeline
from milo.cli.masking import chosen_mask, mask_option
from milo.cli.mode import is_true, wants_live
from milo.cli.notes import Notes
from milo.cli.numbers import COUNT, SECONDS
from milo.cli.options import debug_option, find_target, parameter_option, phases_argument
from milo.cli.parameters import parse
from milo.cli.placing import chosen_executor, executor_option, placed, preload
from milo.cli.recording import Journaling, Unfinished, plan_lines, recording_options
from milo.cli.settings import Settings, first
from milo.cli.showing import views_of
from milo.cli.signals import INTERRUPTED
from milo.cli.stdio import OutputError
from milo.cli.target import resolved
from milo.execution import capture_output
from milo.execution.guard import hurry
from milo.execution.wire import stdout_for_json
from milo.journal import JournalError
from milo.mask import NO_MASK
from milo.session import Session
from milo.session.recording import JournalOptions, Recording, begin
from milo.session.recording import resume as resume_run
from milo.session.workers import released_on_error
from milo.views.format import Output

if TYPE_CHECKING:
    from milo.pipeline import Pipeline
    from milo.saga.ports import Executor
    from milo.views.detail import DetailView

__all__ = ["command"]

_STATUS = {"completed": 0, "failed": 1, "cancelled": INTERRUPTED}
_UNWRITTEN = 1


@click.command("run", context_settings={"help_option_names": ["-h", "--help"]})
@phases_argument
@parameter_option
@click.option(
    "-j",
    "--jobs",
    type=COUNT,
    metavar="N",
    envvar="MILO_JOBS",
    help="Run at most N phases at once.",
)
@executor_option
@click.option(
    "-k",
    "--keep-going/--no-keep-going",
    default=None,
    envvar="MILO_KEEP_GOING",
    help="After a failure, go on with every phase that does not depend on it.",
)
@click.option(
    "--grace",
    type=SECONDS,
    metavar="SECONDS",
    envvar="MILO_GRACE",
    help="How long what runs may take to end once the run is cancelled (5).",
)
@click.option("--dry-run", is_flag=True, envvar="MILO_DRY_RUN", help="Print what would run, in order.")
@click.option(
    "--plain/--no-plain", default=None, envvar="MILO_PLAIN", help="Plain lines, on a terminal as well."
)
@detail_option
@ci_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="MILO_JSON",
    help="One JSON object an action, one a line, and nothing else on stdout.",
)
@click.option("--quiet/--no-quiet", "-q", default=None, envvar="MILO_QUIET", help="Print failures only.")
@click.option(
    "--color/--no-color",
    default=None,
    envvar="MILO_COLOR",
    help="Colour, whatever NO_COLOR, FORCE_COLOR and the terminal say.",
)
@mask_option
@recording_options
@debug_option
def command(
    words: tuple[str, ...],
    params: tuple[str, ...],
    jobs: int | None,
    executor: str | None,
    keep_going: bool | None,
    grace: float | None,
    dry_run: bool,
    plain: bool | None,
    tui: bool | None,
    ci: str | None,
    as_json: bool,
    quiet: bool | None,
    color: bool | None,
    masked: tuple[str, ...],
    resume: str | None,
    journal: str | None,
    no_journal: bool,
    durability: str | None,
    keep: int | None,
) -> int:
    """Run a pipeline, or some of its phases and what they need.

    TARGET is file.py, file.py:name, module or module:name; the name is "pipeline" unless it is given, and may
    be that of a function that returns a Pipeline. Without TARGET it is that of [tool.milo] in the nearest
    pyproject.toml, else pipeline.py.

    \b
    Examples:
      milo run                              all of pipeline.py
      milo run build.py render assets       two phases, and what they need
      milo run build.py -p output=site -j 4
      milo run build.py --executor processes
      milo run build.py --tui               in detail, with the log of each phase
      milo run build.py --json | jq .type

    On a terminal the run is shown live; elsewhere, with CI or TERM=dumb set, or with --plain, in plain lines.
    In a GitHub Actions job, output is grouped by phase and failures are annotated.
    Exit status: 0 completed, 1 failed, 2 wrong usage or nothing that could be loaded, 130 interrupted.
    """
    config = load_config(Path.cwd())
    if color is None and is_true(os.environ.get("MILO_NO_COLOR", "")):
        color = False
    settings = Settings(
        words=words,
        params=params,
        jobs=first(jobs, config.jobs),
        executor=chosen_executor(executor, config),
        keep_going=bool(first(keep_going, config.keep_going)),
        grace=float(first(grace, config.grace, 5.0) or 0.0),
        dry_run=dry_run,
        plain=bool(first(plain, config.plain)),
        tui=wants_detail(
            click.get_current_context(),
            config,
            os.environ,
            tty=Output(sys.stdout).isatty(),
            others={"as_json": "--json", "plain": "--plain", "quiet": "--quiet"},
        ),
        github=wants_github(
            click.get_current_context(),
            os.environ,
            {"tui": "--tui", "as_json": "--json", "plain": "--plain", "quiet": "--quiet"},
        ),
        json=as_json,
        quiet=bool(first(quiet, config.quiet)),
        color=first(color, config.color),
        mask=chosen_mask(masked, config.mask or (), os.environ, Notes(NO_MASK).say),
        journaling=Journaling.of(journal, no_journal, resume, durability, keep, config, os.environ),
        config=config,
    )
    with ExitStack() as stack:
        if settings.github:
            return _told(settings, stack.enter_context(stdout_for_github(settings.mask)))
        stdout: TextIO = stack.enter_context(stdout_for_json(settings.mask)) if as_json else sys.stdout
        return _told(settings, Output(stdout))


def _told(settings: Settings, out: Output) -> int:
    """Run, and say what could not be shown of it: a failure only where it was run for what it writes."""
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
