"""Streams: this process's standard ones: written to, flushed, and put right again after whoever has changed them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import IO, Any

__all__ = ["PLAIN_TEXT", "Streams", "flush", "pass_through"]

PLAIN_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}
"""How a stream is written that is read as it is written, by somebody who knows UTF-8 alone."""

_NAMES = ("stdin", "stdout", "stderr")


def pass_through(stream: str, text: str) -> None:
    """Write `text` to ``sys.stdout`` or ``sys.stderr``, as far as it takes such characters.

    Raises:
        OSError: Nobody reads there any more, or there is no room.
        ValueError: It was closed.
    """
    target = getattr(sys, stream)
    if target is None:
        return
    try:
        target.write(text)
    except UnicodeEncodeError:
        target.write(text.encode("ascii", "backslashreplace").decode("ascii"))
    target.flush()


def flush(*streams: str) -> None:
    """Write what is printed and still in a buffer: of the streams of these names, or of both and of C code too."""
    for stream in streams or ("stdout", "stderr"):
        # One that a handler has closed or replaced has nothing left.
        with suppress(AttributeError, ValueError, OSError):
            getattr(sys, stream).flush()
    if not streams:
        _flush_c()(None)


@cache
def _flush_c() -> Callable[[None], object]:
    """What writes out whatever libraries in C have printed: to a pipe they keep it until a buffer is full."""
    try:
        # Imported here: only workers and whoever keeps stdout for a protocol need it.
        import ctypes

        return ctypes.CDLL(None).fflush
    except (ImportError, OSError, TypeError, AttributeError):
        return lambda _: None  # a Python without ctypes, or a system without such a library


class Streams:
    """What the descriptors and ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` are now, and shall be again."""

    def __init__(self) -> None:
        self._kept = [os.dup(descriptor) for descriptor in range(3)]
        self._files = [_identity(descriptor) for descriptor in range(3)]
        self._streams: list[Any] = [getattr(sys, name) for name in _NAMES]
        self._texts = [(stream.encoding, stream.errors) for stream in self._streams]

    def restored(self) -> bool:
        """Put right what is another file or stream now, or none; returns whether that could be done."""
        for descriptor, kept in enumerate(self._kept):
            if _identity(descriptor) != self._files[descriptor]:
                if _identity(kept) != self._files[descriptor]:
                    return False
                os.dup2(kept, descriptor)
        for descriptor, name in enumerate(_NAMES):
            # Before the look: what stands there instead may close the file that it shares with the stream when it goes.
            setattr(sys, name, self._streams[descriptor])
            if not _is_open(self._streams[descriptor]):
                self._streams[descriptor] = _opened(descriptor, *self._texts[descriptor])
                setattr(sys, name, self._streams[descriptor])
        return True


def _identity(descriptor: int) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino
    return None


def _is_open(stream: Any) -> bool:
    try:
        return not stream.closed
    except ValueError:
        return False  # its buffer was detached


def _opened(descriptor: int, encoding: str, errors: str) -> IO[Any]:
    """A stream like the one that was closed."""
    mode = "w" if descriptor else "r"
    return open(descriptor, mode, buffering=1, encoding=encoding, errors=errors, closefd=False)
