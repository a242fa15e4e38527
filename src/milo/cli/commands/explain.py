"""`milo explain`: for each phase, whether it would run, and why."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from milo.cli.config import load_config
from milo.cli.loading import load_pipeline
from milo.cli.options import debug_option, find_target, parameter_option, phases_argument
from milo.cli.reading import reading_options, say
from milo.cli.recording import Unfinished, journal_path, why_nothing_to_resume
from milo.cli.target import resolved
from milo.execution.wire import stdout_for_json
from milo.mask import mask_of
from milo.terminal.cells import pad, width
from milo.text import safe_line
from milo.views.format import Painter
from milo.words import count

if TYPE_CHECKING:
    from milo.pipeline import Pipeline
    from milo.session.prospect import Prospect

__all__ = ["command"]

_NEW = "nothing is kept for a new run"


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"]})
@phases_argument
@parameter_option
@click.option(
    "--run",
    default="",
    metavar="RUN",
    envvar="MILO_RUN",
    help="The run to go on with; the newest that was not finished by default.",
)
@reading_options
@debug_option
def command(
    words: tuple[str, ...],
    params: tuple[str, ...],
    run: str,
    as_json: bool,
    journal: str | None,
    color: bool | None,
) -> None:
    """Say for each phase whether `milo run --resume` would run it, and why. Nothing is run.

    Values of -p, and phases after TARGET, are those of the run that would be resumed unless they are given. Where
    there is no unfinished run, it says what a new one would do.

    \b
    Examples:
      milo explain build.py
      milo explain build.py --json | jq '.phases[] | select(.runs)'
    """
    with ExitStack() as stack:
        # What the pipeline's file prints while it is loaded must not get between.
        stdout = stack.enter_context(stdout_for_json(mask_of((), os.environ))) if as_json else None
        explained = _explained(words, params, run, journal)
        if stdout is not None:
            stdout.write(json.dumps(explained, indent=2) + "\n")
            stdout.flush()
            return
    say(lambda paint: _text(explained, paint), color)


def _explained(
    words: tuple[str, ...], params: tuple[str, ...], run: str, journal: str | None
) -> dict[str, Any]:
    config = load_config(Path.cwd())
    path, _ = journal_path(journal, config, os.environ)
    target, phases = find_target(words, config)
    why = why_nothing_to_resume(path, resolved(target)) if not run else ""
    if path is None or why:
        return _of_new(_pipeline(target, params, tuple(phases)), resolved(target), why)
    from milo.session.prospect import prospect

    before = Unfinished(path, run, "" if run else resolved(target))
    pipeline = _pipeline(target, params or before.pairs, tuple(phases) or before.only)
    return _of_resumed(pipeline, resolved(target), prospect(pipeline, path, before.run))


def _pipeline(target: str, pairs: tuple[str, ...], phases: tuple[str, ...]) -> Pipeline:
    pipeline = load_pipeline(target, pairs)
    return pipeline.subset(phases) if phases else pipeline


def _of_new(pipeline: Pipeline, target: str, why: str) -> dict[str, Any]:
    return {
        "pipeline": pipeline.name,
        "target": target,
        "run": None,
        "status": None,
        "hindrance": why,
        "damage": "",
        "phases": [{"phase": phase.name, "runs": True, "reason": _NEW} for phase in pipeline.phases],
    }


def _of_resumed(pipeline: Pipeline, target: str, found: Prospect) -> dict[str, Any]:
    return {
        "pipeline": pipeline.name,
        "target": target,
        "run": found.run,
        "status": found.status,
        "hindrance": found.hindrance,
        "damage": found.damage,
        "phases": [decision.as_dict() for decision in found.plan.decisions],
    }


def _text(explained: dict[str, Any], paint: Painter) -> str:
    phases: list[dict[str, Any]] = explained["phases"]
    lines = [_head(explained, phases)]
    if explained["run"] is not None and explained["hindrance"]:
        lines.append(paint(f"Just now it cannot be resumed: {safe_line(explained['hindrance'])}.", "red"))
    if explained["damage"]:
        lines.append(paint(f"Its journal is damaged {safe_line(explained['damage'])}.", "red"))
    wide = max((width(each["phase"]) for each in phases), default=0)
    for each in phases:
        word = paint("run ", "yellow") if each["runs"] else paint("keep", "green")
        lines.append(
            f"{word}  {pad(each['phase'], wide)}  {paint(safe_line(each['reason']), 'dim')}".rstrip()
        )
    return "\n".join(lines) + "\n"


def _head(explained: dict[str, Any], phases: list[dict[str, Any]]) -> str:
    every = count(len(phases), "phase")
    if explained["run"] is None:
        return f"A new run would run {every}: {safe_line(explained['hindrance'])}."
    kept = sum(not each["runs"] for each in phases)
    name, status = safe_line(explained["run"]), explained["status"]
    return f"Resuming {name}, which {_WAS.get(status, f'is {status}')}, would keep {kept} of {every}:"


_WAS = {
    "failed": "failed",
    "cancelled": "was cancelled",
    "interrupted": "was interrupted",
    "completed": "has completed",
}
