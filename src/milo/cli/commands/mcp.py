"""`milo mcp`: runs for agents, over the Model Context Protocol."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milo.cli.app import Invocation
from milo.cli.options import debug_option
from milo.cli.reading import journal_file
from milo.cli.recording import journal_option
from milo.cli.target import check_target, resolved
from milo.mask import mask_of

if TYPE_CHECKING:
    from milo.views.mcp import Source, Tools

__all__ = ["command"]

_NICE = 10


@click.command("mcp", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", required=False, default="", metavar="[TARGET]")
@click.option(
    "--allow-run",
    is_flag=True,
    envvar="MILO_ALLOW_RUN",
    help="Let agents run TARGET, go on with its runs, and cancel what they have started.",
)
@journal_option
@debug_option
@click.pass_obj
def command(invocation: Invocation, target: str, allow_run: bool, journal: str | None) -> int:
    """Serve agents over stdin and stdout: the newest run as it goes on, whoever started it.

    With TARGET: only the runs of that pipeline. Agents start this command themselves; docs/agents.md shows how to tell
    them. Without --allow-run there is nothing that acts.

    \b
    Examples:
      milo mcp
      milo mcp build.py
      milo mcp build.py --allow-run
    """
    if allow_run and not target:
        raise click.UsageError("--allow-run needs a TARGET: the pipeline that agents may run.")
    from milo.views.mcp import JournalSource, require_sdk

    require_sdk()
    path = journal_file(journal)
    if target:
        check_target(target)
        target = resolved(target)
    tools = _tools(target, path) if allow_run else None
    if tools is None:
        _make_way()
    _serve(invocation, JournalSource(path, target), tools)
    return 0


def _tools(target: str, path: Path) -> Tools:
    from milo.cli.launching import ChildLauncher
    from milo.views.mcp import Acting, Tools

    return Tools(Acting(ChildLauncher(target, path), path, target))


def _make_way() -> None:
    """Leave the processors to whoever works: a run that is watched is as fast as one that is not."""
    # Not where runs are started from here, which would inherit it.
    with contextlib.suppress(AttributeError, OSError):  # not every system has this, nor allows it
        os.nice(_NICE)


def _serve(invocation: Invocation, source: Source, tools: Tools | None) -> None:
    from milo.views.mcp import make_server, serve

    def on_start(stop: Callable[[], None]) -> None:
        if invocation.signals is not None:
            stack.enter_context(invocation.signals.cancelling(stop, lambda: None, None))

    with ExitStack() as stack:
        stack.callback(source.close)
        serve(make_server(source=source, tools=tools), mask=mask_of((), os.environ), on_start=on_start)
    # A client that neither reads nor leaves must not keep the process.
    invocation.left_behind = True
