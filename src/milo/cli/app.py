"""The `milo` command itself: its subcommands, loaded when used, and what becomes of errors."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import click

from milo import __version__
from milo.cli.signals import INTERRUPTED, ProcessSignals
from milo.cli.stdio import OutputError, fill_closed_streams
from milo.errors import MiloError, StateError

__all__ = ["Invocation", "call", "cli"]

# Importing every command to list them would make `milo --help` pay for what `milo run` needs.
_COMMANDS = {
    "run": "Run a pipeline, or some of its phases.",
    "history": "List the runs that were recorded.",
    "follow": "Watch a recorded run in detail, live or finished.",
    "show": "Show a recorded run: times, errors, output.",
    "explain": "Say which phases would run, and why.",
    "order": "Print the phases in the order of their dependencies.",
    "graph": "Print the graph for Mermaid, Graphviz or a program.",
    "mcp": "Show runs to agents, over the Model Context Protocol.",
    "init": "Write a small pipeline.py to start from.",
    "completion": "Print the script that completes milo in a shell.",
}

_FAILED, _USAGE = 1, 2


@dataclass
class Invocation:
    """What is known beside the parsed command line, even of one that cannot be parsed to its end.

    Attributes:
        debug: Whether errors show their traceback.
        signals: The process's signals, when the process is milo's own.
        left_behind: Whether something may still run that nobody waits for.
    """

    debug: bool = False
    signals: ProcessSignals | None = None
    left_behind: bool = False


class LazyGroup(click.Group):
    """Commands that are imported when they are called, from the module of their name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"milo.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Commands: {', '.join(_COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"milo {__version__}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Run the phases of a build, release or data pipeline in parallel, and watch them.

    \b
    Examples:
      milo init                     write a small pipeline.py
      milo run                      run it
      milo run build.py             run the pipeline of another file
      milo run build.py:docs html   only the phase "html", and what it needs
      milo graph build.py           print its graph

    Every option has an environment variable: --jobs is MILO_JOBS, --plain is MILO_PLAIN.
    Exit status: 0 completed, 1 failed, 2 wrong usage or nothing that could be loaded, 130 interrupted.
    """


def call(argv: Sequence[str] | None, invocation: Invocation) -> int:
    """Parse the arguments and run the command that they name; returns the exit status, whatever happens.

    Args:
        argv: The arguments after the program's name; the process's own when None.
        invocation: Handed to the command, and filled by it.
    """
    fill_closed_streams()
    try:
        os.getcwd()
    except OSError as error:
        click.echo(
            f"milo: The working directory is gone: {error.strerror}. Change into one that exists.", err=True
        )
        return _USAGE
    try:
        status = cli.main(
            args=None if argv is None else list(argv), prog_name="milo", standalone_mode=False, obj=invocation
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return _USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return _FAILED
    except OSError as error:
        # One that names no file was met while writing to stdout or stderr.
        full = error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if full:
            _drop_stdout()
        return _report(OutputError(error) if full else error, invocation, _FAILED)
    except OutputError as error:
        _drop_stdout()
        return _report(error, invocation, _FAILED)
    except MiloError as error:
        return _report(error, invocation, _FAILED if isinstance(error, StateError) else _USAGE)
    except Exception as error:  # noqa: BLE001  # the last line of defence: no bare traceback reaches a user
        return _report(error, invocation, _FAILED)
    return _flushed(status if isinstance(status, int) else 0)


def _report(error: Exception, invocation: Invocation, status: int) -> int:
    from milo.text import safe_text

    if invocation.signals is not None and invocation.signals.interrupted:
        # In the middle of an import or of making a class an interrupt may come out as another error.
        return INTERRUPTED
    if invocation.debug:
        traceback.print_exception(error)
    if isinstance(error, MiloError):
        text = str(error)
    else:
        text = f"internal error: {type(error).__name__}: {error} (--debug shows where)"
    try:
        click.echo(f"milo: {safe_text(text)}", err=True)
    except OSError:
        # Nobody reads stderr any more; the exit status still tells.
        return status
    return status


def _flushed(status: int) -> int:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _drop_stdout()
    return status


def _drop_stdout() -> None:
    # The interpreter flushes stdout once more at its exit and would complain about the closed pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        return
