"""`milo history`: the runs of a journal, one a line, the newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from milo.cli.numbers import COUNT
from milo.cli.options import debug_option
from milo.cli.reading import journal_file, reading_options, say, when
from milo.text import safe_line
from milo.views.format import Painter
from milo.words import count, duration

if TYPE_CHECKING:
    from milo.journal import RunInfo

__all__ = ["command", "table"]

_COLORS = {
    "completed": "green",
    "failed": "red",
    "damaged": "red",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
}


@click.command("history", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-n",
    "--limit",
    type=COUNT,
    metavar="N",
    envvar="MILO_LIMIT",
    help="Only the newest N runs.",
)
@reading_options
@debug_option
def command(limit: int | None, as_json: bool, journal: str | None, color: bool | None) -> None:
    """List the runs that were recorded, the newest first.

    A run whose process is gone before its end is "interrupted". What can be resumed is named as such.

    \b
    Examples:
      milo history
      milo history -n 1 --json
    """
    from milo.journal import history

    path = journal_file(journal)
    runs = history(path, limit)
    if as_json:
        click.echo(json.dumps({"journal": str(path), "runs": [info.as_dict() for info in runs]}, indent=2))
        return
    say(lambda paint: table(runs, paint), color)


def table(runs: list[RunInfo], paint: Painter) -> str:
    """The runs in columns."""
    if not runs:
        return "no runs\n"
    wide = max(len(safe_line(info.row.name)) for info in runs)
    return "".join(f"{_line(info, wide, paint)}\n" for info in runs)


def _line(info: RunInfo, wide: int, paint: Painter) -> str:
    cells = [
        f"{safe_line(info.row.name):{wide}}",
        paint(f"{info.status:11}", _COLORS.get(info.status, "bold")),
        when(info.started),
        f"{_elapsed(info):>11}",
        f"{count(info.phases, 'phase'):>10}",
        safe_line(info.row.pipeline),
    ]
    return "  ".join(cells) + paint(_note(info), "dim")


def _elapsed(info: RunInfo) -> str:
    # How long it took is recorded at the end.
    return duration(info.elapsed) if info.status in ("completed", "failed", "cancelled") else "-"


def _note(info: RunInfo) -> str:
    if info.holder is not None:
        return f"  ({info.holder})"
    if info.broken:
        return f"  (not resumable: {safe_line(info.broken)})"
    return "  (resumable)" if info.resumable else ""
