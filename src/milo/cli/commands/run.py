"""`milo run`: its options, and the settings that come of them."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from milo.cli.ci import ci_option, stdout_for_github, wants_github
from milo.cli.config import load_config
from milo.cli.detail import detail_option, wants_detail
from milo.cli.masking import chosen_mask, mask_option
from milo.cli.mode import is_true
from milo.cli.notes import Notes
from milo.cli.numbers import COUNT, SECONDS
from milo.cli.options import debug_option, parameter_option, phases_argument
from milo.cli.placing import chosen_executor, executor_option
from milo.cli.reading import color_option
from milo.cli.recording import Journaling, recording_options
from milo.cli.running import carry_out
from milo.cli.settings import Settings, first
from milo.execution.wire import stdout_for_json
from milo.mask import NO_MASK
from milo.views.format import Output

if TYPE_CHECKING:
    pass

__all__ = ["command"]


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
@color_option
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
            return carry_out(settings, stack.enter_context(stdout_for_github(settings.mask)))
        stdout: TextIO = stack.enter_context(stdout_for_json(settings.mask)) if as_json else sys.stdout
        return carry_out(settings, Output(stdout))
