"""Traces: where a handler's error came from, as lines for the log of its phase."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator

from milo.text import safe_line

__all__ = ["trace_lines"]

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def trace_lines(error: BaseException) -> Iterator[str]:
    """The traceback of `error` from the handler on, line by line: how milo called it helps nobody.

    Nothing where that is no more than the error's own text, as for a command that failed.
    """
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename.startswith(_OWN):
        place = place.tb_next
    if place is None and not getattr(error, "__notes__", None):
        return
    for part in traceback.format_exception(type(error), error, place):
        yield from map(safe_line, part.rstrip("\n").split("\n"))
