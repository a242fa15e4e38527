"""Settings: what a command line asks of a run, from options, environment and configuration together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from milo.cli.config import Config
from milo.cli.recording import Journaling
from milo.mask import Mask

__all__ = ["Settings", "first"]

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What was asked for."""

    words: tuple[str, ...]
    params: tuple[str, ...]
    jobs: int | None
    executor: str
    keep_going: bool
    grace: float
    dry_run: bool
    plain: bool
    tui: bool
    github: bool
    json: bool
    quiet: bool
    color: bool | None
    mask: Mask
    journaling: Journaling
    config: Config


def first(*values: T | None) -> T | None:
    """The first of `values` that says something."""
    return next((value for value in values if value is not None), None)
