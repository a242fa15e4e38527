"""Traces: where a handler's error came from, as lines for the log of its phase."""

from __future__ import annotations

from collections.abc import Iterator

from milo.execution.tracebacks import traceback_text
from milo.text import safe_line

__all__ = ["trace_lines"]


def trace_lines(error: BaseException) -> Iterator[str]:
    """The traceback of `error` from the handler on, line by line; nothing where it says no more than the error."""
    text = traceback_text(error)
    return map(safe_line, text.split("\n") if text else ())
