"""Placing: where the phases of a run go, from what the command line, the environment and the project say."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milo.cli.config import Config
from milo.errors import StateError
from milo.execution.choosing import check_executor
from milo.execution.placement import WorkerError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from milo.pipeline import Pipeline
    from milo.saga.ports import Executor

__all__ = ["chosen_executor", "executor_option", "placed", "preload"]

F = TypeVar("F", bound=Callable[..., Any])

_MEANINGS = {
    "threads": "in this process",
    "processes": "in worker processes",
    "dask": "on a Dask cluster; dask:tcp://host:port for one that runs",
}
_MODULES = {
    "threads": "milo.execution.threads",
    "processes": "milo.execution.processes.place",
    "dask": "milo.execution.dask.place",
}
_KNOWN = "Executors: threads, processes, dask, dask:tcp://host:port."


def executor_option(function: F) -> F:
    """Add ``--executor``."""
    return click.option(
        "--executor",
        metavar="threads|processes|dask[:tcp://HOST:PORT]",
        envvar="MILO_EXECUTOR",
        shell_complete=_completed,
        help="Where phases run: in threads of this process, in processes, or on a Dask cluster (threads).",
    )(function)


def _completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(n, help=said) for n, said in _MEANINGS.items() if n.startswith(incomplete)]


def chosen_executor(asked: str | None, config: Config) -> str:
    """The executor that is meant.

    Args:
        asked: From the command line or the environment; None where they say nothing.
        config: The project's settings.

    Raises:
        click.UsageError: There is no such executor here.
    """
    if asked is not None:
        return _checked(asked, "--executor")
    return _checked(config.executor, "[tool.milo] executor") if config.executor is not None else "threads"


def _checked(name: str, source: str) -> str:
    if name not in _MEANINGS and not name.startswith("dask:"):
        near = difflib.get_close_matches(name, _MEANINGS, 1)
        raise click.UsageError(
            f"{source}: there is no executor {name!r}. {f'Did you mean {near[0]!r}? ' if near else ''}{_KNOWN}"
        )
    try:
        check_executor(name)
    except StateError as error:
        raise click.UsageError(f"{source}: {error}") from error
    return name


def preload(executor: str) -> None:
    """Import what an executor needs while no file beside a pipeline can stand in for a module of the library's.

    Args:
        executor: One that `chosen_executor` gave.
    """
    import_module(_MODULES[executor.partition(":")[0]])


def placed(executor: str, pipeline: Pipeline, jobs: int | None) -> Executor:
    """Make the workers of a run: the last thing that can refuse it before it is recorded.

    Raises:
        PipelineError: A handler cannot be sent to where it shall run.
        WorkerError: The executor cannot be had.
    """
    from milo.session.workers import workers_for

    try:
        return workers_for(executor, pipeline, max_workers=jobs)
    except StateError as error:
        # Its status is that of a run that could not be begun, not of one that has failed.
        raise WorkerError(error.message, hint=error.hint) from error
