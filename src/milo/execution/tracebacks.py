"""Tracebacks: where a handler raised an error, from its own code on, also when it comes back from elsewhere."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from typing import Final

__all__ = ["keep_traceback", "traceback_text"]

_OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_KEPT: Final = "Raised in another process:\n"


def traceback_text(error: BaseException) -> str:
    """The traceback of `error` from the handler on: how milo called it helps nobody.

    "" where that is no more than the error's own text, as for a command that failed.
    """
    notes = getattr(error, "__notes__", ())
    for note in notes:
        # Whatever it has of a traceback here was made of that one.
        if isinstance(note, str) and note.startswith(_KEPT):
            return note.removeprefix(_KEPT)
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename.startswith(_OWN):
        place = place.tb_next
    if place is None and not notes:
        return ""
    return "".join(traceback.format_exception(type(error), error, place)).rstrip("\n")


def keep_traceback(error: BaseException) -> None:
    """Keep in a note where `error` was raised: a traceback itself cannot be sent to another process."""
    # One that takes no notes (a class that forbids attributes) has to do without.
    with suppress(Exception):
        text = traceback_text(error)
        if text:
            error.add_note(_KEPT + text)
