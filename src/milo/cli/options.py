"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milo.cli.app import Invocation
from milo.cli.config import Config, load_config
from milo.cli.loading import load_pipeline
from milo.cli.target import choose_target

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from milo.pipeline import Pipeline

__all__ = [
    "debug_option",
    "find_target",
    "open_target",
    "parameter_option",
    "phases_argument",
    "target_argument",
]

F = TypeVar("F", bound=Callable[..., Any])


def _note_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Invocation).debug = value


def debug_option(function: F) -> F:
    """Add ``--debug``, which shows the traceback of what is otherwise one line."""
    return click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        envvar="MILO_DEBUG",
        callback=_note_debug,
        help="Show the traceback of an error, also of a phase's.",
    )(function)


def parameter_option(function: F) -> F:
    """Add ``-p name=value``."""
    return click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        envvar="MILO_PARAM",
        help="A parameter of the function that makes the pipeline; may be repeated.",
    )(function)


def target_argument(function: F) -> F:
    """Add an optional TARGET."""
    return click.argument("target", required=False, metavar="[TARGET]")(function)


def phases_argument(function: F) -> F:
    """Add ``[TARGET] [PHASE]...``; which word is which is settled by `open_target`."""
    return click.argument("words", nargs=-1, metavar="[TARGET] [PHASE]...", shell_complete=_complete_word)(
        function
    )


def open_target(
    words: tuple[str, ...], params: tuple[str, ...], config: Config | None = None
) -> tuple[Pipeline, list[str]]:
    """Load the pipeline that a command line means.

    Returns:
        The pipeline, and the words that name phases.
    """
    target, phases = find_target(words, load_config(Path.cwd()) if config is None else config)
    return load_pipeline(target, params), phases


def find_target(words: tuple[str, ...], config: Config) -> tuple[str, list[str]]:
    """Tell the TARGET that a command line means, and the words that name phases."""
    return choose_target(words, config, Path.cwd(), os.environ.get("MILO_TARGET", ""))


def _complete_word(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete files for a target and, once a pipeline is known, its phases."""
    from click.shell_completion import CompletionItem

    words = tuple(ctx.params.get(param.name or "") or ())
    items = [] if words else [CompletionItem(incomplete, type="file")]
    try:
        pipeline, _ = _loaded_silently(words, tuple(ctx.params.get("params") or ()))
    except BaseException:  # noqa: BLE001  # whatever the user's file does, a shell that completes must not show it
        return items
    given = set(words)
    names = [p for p in pipeline.phases if p.name.startswith(incomplete) and p.name not in given]
    return [CompletionItem(phase.name, help=phase.description or None) for phase in names] + items


def _loaded_silently(words: tuple[str, ...], params: tuple[str, ...]) -> tuple[Pipeline, list[str]]:
    from contextlib import redirect_stderr, redirect_stdout

    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        return open_target(words, params)
