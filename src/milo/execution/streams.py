"""Streams: descriptors 0 to 2 of a worker process, put right again after an attempt that has changed them."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any

__all__ = ["Streams"]

_NAMES = ("stdin", "stdout", "stderr")


class Streams:
    """What the descriptors and ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` are now, and shall be again."""

    def __init__(self) -> None:
        self._kept = [os.dup(descriptor) for descriptor in range(3)]
        self._files = [_identity(descriptor) for descriptor in range(3)]
        self._streams: list[Any] = [getattr(sys, name) for name in _NAMES]

    def restored(self) -> bool:
        """Put right what is another file or stream now, or none; returns whether that could be done."""
        for descriptor, kept in enumerate(self._kept):
            if _identity(descriptor) != self._files[descriptor]:
                if _identity(kept) != self._files[descriptor]:
                    return False
                os.dup2(kept, descriptor)
        for descriptor, name in enumerate(_NAMES):
            if self._streams[descriptor].closed:
                self._streams[descriptor] = _opened(descriptor, self._streams[descriptor])
            setattr(sys, name, self._streams[descriptor])
        return True


def _identity(descriptor: int) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino
    return None


def _opened(descriptor: int, closed: Any) -> io.TextIOWrapper:
    """A stream like the one that was closed."""
    return open(
        descriptor,
        "w" if descriptor else "r",
        buffering=1,
        encoding=closed.encoding,
        errors=closed.errors,
        closefd=False,
    )
