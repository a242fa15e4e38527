"""What effects refuse when they are made: values that cannot work, each with what was received."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from milo.errors import StateError

__all__ = ["check_callable", "check_seconds", "each_saga", "not_callable"]


def check_seconds(what: str, value: float) -> float:
    """Refuse what is no time to wait; answers `value`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise StateError(f"{what} must be a finite number of seconds, at least 0, got {value!r}.")
    return value


def check_callable(what: str, value: Callable[..., Any]) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise not_callable(what, value)


def not_callable(what: str, value: object) -> StateError:
    """The error of an effect that was given something else than a function."""
    return StateError(
        f"{what} needs a function, got {value!r}.",
        hint="Pass the function itself, not what calling it returns.",
    )


def each_saga(what: str, sagas: Iterable[Any]) -> tuple[Any, ...]:
    """The sagas of an effect that takes several; what each of them is shows when it is started."""
    if not isinstance(sagas, Iterable):
        raise StateError(f"{what} needs several sagas, got {sagas!r}.", hint="Pass them as a list or tuple.")
    return tuple(sagas)
