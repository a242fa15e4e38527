"""Given: marks the modules that milo itself loads, from files that it is given by their paths."""

from __future__ import annotations

from types import ModuleType

__all__ = ["is_given", "mark_given"]

_MARK = "__milo_given__"


def mark_given(module: ModuleType) -> None:
    """Note that nobody else finds a module by its name: if an import path leads to it, that is milo's doing."""
    vars(module)[_MARK] = True


def is_given(module: object) -> bool:
    """Whether milo has loaded it from a file that it was given."""
    # What stands in sys.modules need not be a module.
    return getattr(module, "__dict__", {}).get(_MARK) is True
