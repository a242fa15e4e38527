"""What a declaration refuses: values that cannot work, each with what was received and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from milo.errors import PipelineError
from milo.text import safe_line

__all__ = [
    "check_count",
    "check_flag",
    "check_fraction",
    "check_limit",
    "check_name",
    "check_number",
    "check_one_of",
    "check_text",
    "exceptions_of",
    "is_printable",
    "names_of",
]

# Beyond it an int is no float any more, and sums of times would fail.
_LARGEST = sys.float_info.max


def is_printable(text: str) -> bool:
    """Whether a name can be shown as it is: nothing in it is a control character or a colour."""
    return "\x1b" not in text and "\n" not in text and "\t" not in text and safe_line(text) == text


def check_name(name: object) -> None:
    if not isinstance(name, str):
        raise PipelineError(f"A phase name must be a string, got {name!r}.", hint='Name it like "parse".')
    if not name or name.isspace():
        raise PipelineError(f"A phase name must not be empty, got {name!r}.", hint='Name it like "parse".')
    if not is_printable(name):
        raise PipelineError(
            f"A phase name must not hold control characters, got {name!r}.", hint="Use printable characters."
        )
    if name[-1] == "]":
        head, bracket, number = name[:-1].rpartition("[")
        if bracket and number.isdigit():
            raise PipelineError(
                f"A phase name must not end in [{number}], got {name!r}: such names belong to the parts of a phase.",
                hint=f'Name it like "{head}-{number}".',
            )


def names_of(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise PipelineError(
            f"depends_on of phase {name!r} must be a tuple of names, got the string {value!r}.",
            hint=f'Write depends_on=("{value}",).',
        )
    if not isinstance(value, Iterable):
        raise PipelineError(
            f"depends_on of phase {name!r} must be a tuple of names, got {value!r}.",
            hint='Write depends_on=("parse",).',
        )
    return tuple(value)


def _of(name: str | None) -> str:
    return "" if name is None else f" of phase {name!r}"


def check_one_of(what: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise PipelineError(f"{what} must be one of {', '.join(map(repr, allowed))}, got {value!r}.")


def check_number(what: str, value: object, phase: str | None = None) -> None:
    if value.__class__ is int and 0 <= value <= _LARGEST:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise PipelineError(f"{what}{_of(phase)} must be a finite number of at least 0, got {value!r}.")


def check_count(what: str, value: object, phase: str | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PipelineError(f"{what}{_of(phase)} must be a whole number of at least 0, got {value!r}.")


def check_fraction(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PipelineError(f"{what} must be a number from 0 to 1, got {value!r}.")


def check_limit(what: str, value: object, phase: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        raise PipelineError(
            f"{what}{_of(phase)} must be a finite number of seconds above 0, got {value!r}.",
            hint="Leave it out for no limit.",
        )


def check_text(what: str, value: object, phase: str) -> None:
    if not isinstance(value, str):
        raise PipelineError(f"{what}{_of(phase)} must be a string, got {value!r}.")


def check_flag(what: str, value: object, phase: str) -> None:
    if not isinstance(value, bool):
        raise PipelineError(f"{what}{_of(phase)} must be True or False, got {value!r}.")


def exceptions_of(what: str, value: object) -> tuple[type[Exception], ...]:
    """Give `value`, an exception class or several, as a tuple; only subclasses of Exception are taken."""
    kinds = value if isinstance(value, tuple) else tuple(value) if isinstance(value, list | set) else (value,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise PipelineError(
                f"{what} must hold subclasses of Exception, got {kind!r}.", hint=f"Write {what}=(OSError,)."
            )
    return kinds
