"""Grouped errors: what an exception group holds, in as many words as an error's text has room for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["grouped_text"]

_MOST: Final = 3
_LENGTH: Final = 120


def grouped_text(group: BaseExceptionGroup[Any]) -> str:
    """The first three errors in `group`, those of groups inside it too, and how many more there are."""
    texts: list[str] = []
    more = 0
    for error in _leaves(group):
        if len(texts) < _MOST:
            texts.append(_text(error))
        else:
            more += 1
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    """The errors that are no groups, in their order; groups in groups may be as deep as they like."""
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(reversed(error.exceptions))
        else:
            yield error


def _text(error: BaseException) -> str:
    try:
        message = str(error).strip()
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the others
        message = ""
    line = message.partition("\n")[0]
    text = f"{type(error).__name__}: {line}" if line else type(error).__name__
    return text if len(text) <= _LENGTH and line == message else f"{text[: _LENGTH - 1]}…"
