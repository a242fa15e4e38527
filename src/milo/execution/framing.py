"""Framing: lines that milo itself writes between what a program prints, told apart by whoever reads both."""

from __future__ import annotations

import os
import threading

__all__ = ["Frames", "Unframed", "new_mark"]

# A write of at most this many bytes into a pipe is never mixed with another's (POSIX asks for 512 at least).
_ATOMIC = 512
_MORE, _LAST = b"\x01", b"\x02"
_LENGTH = 2


def new_mark() -> bytes:
    """Bytes that nobody writes by chance."""
    return b"\0" + os.urandom(15)


class Frames:
    """Writes whole lines into a pipe that others write to as well.

    Args:
        mark: Begins each frame.
        descriptor: The pipe's writing end.
    """

    def __init__(self, mark: bytes, descriptor: int) -> None:
        self._mark = mark
        self._descriptor = descriptor
        # A long line is several frames, which no other line may come between.
        self._writing = threading.Lock()

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "surrogatepass")
        room = _ATOMIC - len(self._mark) - 1 - _LENGTH
        with self._writing:
            for at in range(0, max(1, len(data)), room):
                part = data[at : at + room]
                kind = _LAST if at + room >= len(data) else _MORE
                os.write(self._descriptor, self._mark + kind + len(part).to_bytes(_LENGTH, "big") + part)


class Unframed:
    """Takes bytes as they are read, and gives (bytes as printed, None) or (b"", a line of milo's) in their order."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._rest = b""
        self._line = b""

    def feed(self, data: bytes) -> list[tuple[bytes, str | None]]:
        """Take what was read next."""
        if not self._rest and b"\0" not in data:
            return [(data, None)]
        data = self._rest + data
        self._rest = b""
        found: list[tuple[bytes, str | None]] = []
        head = len(self._mark) + 1 + _LENGTH
        done = 0
        while (at := data.find(self._mark, done)) >= 0:
            if at > done:
                found.append((data[done:at], None))
            begin = at + head
            size = int.from_bytes(data[begin - _LENGTH : begin], "big")
            if len(data) < begin or len(data) < begin + size:
                self._rest = data[at:]
                return found
            self._line += data[begin : begin + size]
            if data[begin - _LENGTH - 1 : begin - _LENGTH] == _LAST:
                found.append((b"", self._line.decode("utf-8", "surrogatepass")))
                self._line = b""
            done = begin + size
        end = len(data) - self._unfinished_mark(data, done)
        self._rest = data[end:]
        if end > done:
            found.append((data[done:end], None))
        return found

    def flush(self) -> bytes:
        """What looked like the beginning of a frame and was none."""
        rest, self._rest = self._rest, b""
        return rest

    def _unfinished_mark(self, data: bytes, done: int) -> int:
        """How many of the last bytes may be the beginning of a mark."""
        at = data.find(b"\0", max(done, len(data) - len(self._mark) + 1))
        while at >= 0 and not self._mark.startswith(data[at:]):
            at = data.find(b"\0", at + 1)
        return len(data) - at if at >= 0 else 0
