"""Stray output: what a program prints while a view has the screen is kept aside, and shown afterwards."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from milo.text import safe_text

__all__ = ["keeping_stray_output"]

_MOST_LINES = 500
_MOST_BYTES = 256 * 1024


@contextmanager
def keeping_stray_output() -> Iterator[None]:
    """Keep what is written to the terminal's descriptors from the screen as long as the block lasts.

    Whatever prints is meant: handlers, logging, subprocesses. Reading from descriptor 0 finds nothing there, so that
    nobody takes keys from the view. Descriptors that lead elsewhere (``2>errors.log``) are left alone.
    """
    if os.name != "posix":
        yield
        return
    _flush()
    with tempfile.TemporaryFile() as kept, open(os.devnull, "rb") as nothing:
        before = {number: os.dup(number) for number in (0, 1, 2) if os.isatty(number)}
        for number in before:
            os.dup2(kept.fileno() if number else nothing.fileno(), number)
        try:
            yield
        finally:
            _flush()
            for number, original in before.items():
                os.dup2(original, number)
                os.close(original)
            if 1 in before or 2 in before:
                _show(kept, 1 if 1 in before else 2)


def _show(kept: IO[bytes], number: int) -> None:
    size = kept.seek(0, os.SEEK_END)
    kept.seek(max(0, size - _MOST_BYTES))
    text = kept.read().decode("utf-8", "replace")
    if not text:
        return
    lines = deque(text.removesuffix("\n").split("\n"))
    dropped = size > _MOST_BYTES
    while len(lines) > _MOST_LINES:
        lines.popleft()
        dropped = True
    if dropped:
        lines.appendleft("… what was printed before is left out")
    data = (safe_text("\n".join(lines)) + "\n").encode(_encoding(), "replace")
    try:
        while data:
            data = data[os.write(number, data) :]
    except OSError:
        # The terminal is gone; there is nobody left to show it to.
        return


def _encoding() -> str:
    return getattr(sys.__stdout__, "encoding", None) or "utf-8"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # A closed stream holds nothing that could be lost.
            continue
