"""`milo run --ci`: whether the run is to be shown as the log of a continuous integration service likes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milo.cli.detail import given
from milo.cli.mode import is_true

if TYPE_CHECKING:
    from milo.views.github import GithubOutput

__all__ = ["ci_option", "stdout_for_github", "summary_file", "wants_github"]

F = TypeVar("F", bound=Callable[..., Any])


def ci_option(function: F) -> F:
    """Add ``--ci``."""
    return click.option(
        "--ci",
        type=click.Choice(["github", "none"]),
        envvar="MILO_CI",
        help="Groups and annotations for the log of GitHub Actions; chosen there by itself, unless it is none.",
    )(function)


def wants_github(ctx: click.Context, environ: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Tell whether the run is to be shown for the log of a GitHub Actions job.

    Args:
        ctx: Of the command, which has a parameter ``ci``.
        environ: The environment.
        others: The parameters that ask for another view, and their flags.

    Raises:
        click.UsageError: Two ways to show the run were demanded.
    """
    asked = ctx.params.get("ci")
    if asked == "github" and given(ctx, "ci"):
        flags = [flag for name, flag in others.items() if given(ctx, name)]
        if flags:
            raise click.UsageError(
                f"--ci github and {flags[0]} exclude each other: both say how to show the run."
            )
        return True
    if any(ctx.params.get(name) for name in others):
        return False
    return asked == "github" or (asked is None and is_true(environ.get("GITHUB_ACTIONS", "")))


@contextmanager
def stdout_for_github(mask: Callable[[str], str]) -> Iterator[GithubOutput]:
    """Give the log of the job to the caller; what else is written to descriptors 1 and 2 can hold no commands there.

    Args:
        mask: Applied to each line that the caller has not written.
    """
    from milo.execution.wire import stdout_for_json
    from milo.views.github import GithubOutput, inert

    with stdout_for_json(lambda line: inert(mask(line)), "utf-8") as stdout:
        yield GithubOutput(stdout)


def summary_file(environ: Mapping[str, str]) -> Path | None:
    """Where a summary of the job belongs; None where the service asks for none."""
    named = environ.get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None
