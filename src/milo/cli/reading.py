"""What the commands share that read a journal: which one, how it is shown, and times for people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from milo.cli.config import load_config
from milo.cli.mode import is_true, wants_color
from milo.cli.recording import journal_option, journal_path
from milo.cli.stdio import OutputError
from milo.views.format import Output, Painter

__all__ = ["color_option", "journal_file", "reading_options", "say", "when"]

F = TypeVar("F", bound=Callable[..., Any])


def color_option(function: F) -> F:
    """Add ``--color``."""
    return click.option(
        "--color/--no-color",
        default=None,
        envvar="MILO_COLOR",
        help="Colour, whatever NO_COLOR, FORCE_COLOR and the terminal say.",
    )(function)


def reading_options(function: F) -> F:
    """Add ``--json``, ``--journal PATH`` and ``--color``."""
    options = [
        click.option("--json", "as_json", is_flag=True, envvar="MILO_JSON", help="Print JSON for programs."),
        journal_option,
        color_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def journal_file(named: str | None) -> Path:
    """The journal to read.

    Args:
        named: The value of ``--journal``.

    Raises:
        click.UsageError: It is turned off.
    """
    path, _ = journal_path(named, load_config(Path.cwd()), os.environ)
    if path is None:
        raise click.UsageError("The journal is turned off. Name the one to read with --journal PATH.")
    return path


def say(make: Callable[[Painter], str], color: bool | None) -> None:
    """Write to stdout what `make` gives, with colour where it is wanted.

    Args:
        make: Is given the painter to use.
        color: The value of ``--color``.

    Raises:
        OutputError: It cannot be written though somebody waits for it.
    """
    out = Output(sys.stdout)
    if color is None and is_true(os.environ.get("MILO_NO_COLOR", "")):
        color = False
    out.write(make(Painter(wants_color(os.environ, tty=out.isatty(), flag=color))))
    if out.error is not None:
        raise OutputError(out.error)


def when(seconds: float) -> str:
    """A moment in the local time, to the second.

    Args:
        seconds: Since the epoch.
    """
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        # A damaged journal, or a clock that was far off.
        return "?"
