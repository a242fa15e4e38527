"""`milo run --mask`: which environment variables hold what nobody is to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from milo.errors import StateError
from milo.mask import Mask, mask_of

__all__ = ["chosen_mask", "mask_option"]

F = TypeVar("F", bound=Callable[..., Any])


def mask_option(function: F) -> F:
    """Add ``--mask VARIABLE``."""
    return click.option(
        "--mask",
        "masked",
        multiple=True,
        metavar="VARIABLE",
        envvar="MILO_MASK",
        help="Show *** in place of this environment variable's value; may be repeated.",
    )(function)


def chosen_mask(
    asked: Iterable[str],
    configured: Iterable[str],
    environ: Mapping[str, str],
    say: Callable[[str], object],
) -> Mask:
    """The mask that is meant.

    Args:
        asked: Names from the command line or the environment; each is to be set, or what was meant is not masked.
        configured: Names from the project's settings, not all of which need be set wherever it is run.
        environ: The environment.
        say: Told of what a person should know.

    Raises:
        click.UsageError: A name is none.
    """
    asked = tuple(asked)
    mask = _masked(asked, environ, "Write --mask TOKEN.")
    for name in asked:
        if name not in environ:
            say(f"--mask {name}: there is no environment variable of that name, so nothing is masked for it.")
    return mask | _masked(configured, environ, 'Write mask = ["TOKEN"] in [tool.milo].')


def _masked(names: Iterable[str], environ: Mapping[str, str], hint: str) -> Mask:
    try:
        return mask_of(names, environ)
    except StateError as error:
        # Its own hint is for programs.
        raise click.UsageError(f"{error.message} {hint}") from error
