"""Named points inside the writer at which tests let a process die or a disk fail; nothing happens there otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["POINTS", "reached", "set_hook"]

POINTS: Final = (
    "folder made",
    "connected",
    "schema made",
    "lock taken",
    "holder named",
    "run inserted",
    "head encoded",
    "head committed",
    "batch encoded",
    "output written",
    "transaction begun",
    "results inserted",
    "records inserted",
    "logs inserted",
    "logs pruned",
    "before commit",
    "after commit",
    "still in place",
    "end recorded",
    "connection closed",
    "lock released",
    "run deleted",
    "copy recovered",
    "damaged set aside",
    "copy in place",
    "tail cut off",
)
"""The points in the order of a run; the last ones belong to clearing up and to recovery."""

_hook: Callable[[str], None] | None = None


def set_hook(hook: Callable[[str], None] | None) -> None:
    """Call `hook` with the name of every point that is reached; None ends that. For tests alone."""
    global _hook
    _hook = hook


def reached(point: str) -> None:
    """Say that `point` is reached."""
    if _hook is not None:
        _hook(point)
