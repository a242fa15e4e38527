"""Link: messages between a run and a worker process of its own, over two pipes."""

from __future__ import annotations

import os
import struct
from contextlib import suppress

__all__ = ["Link", "wide_pipe"]

_HEAD = struct.Struct("!cQ")  # one byte that says what it is, and how long it is
_SMALL = 16_384
_CHUNK = 65_536
_WIDE = 1_048_576


def wide_pipe() -> tuple[int, int]:
    """A pipe that holds much at once, so that a large message needs fewer turns; as much as the system allows."""
    import fcntl  # not on Windows, where these modules are imported as well

    reading, writing = os.pipe()
    # Not on every system, and not beyond what one user may have in all pipes.
    with suppress(AttributeError, OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _WIDE)
    return reading, writing


class Link:
    """One end of a connection. One thread at a time may send, and one may receive.

    A small message costs one system call on either side, and a large one is not copied. Pipes, since a message through
    one costs half of what it costs through a socket.

    Args:
        reading: A pipe's reading end, which is closed with this.
        writing: The writing end of another; likewise.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self._closed = False
        self._read = b""

    def fileno(self) -> int:
        """What to poll."""
        return self._reading

    @property
    def pending(self) -> bool:
        """Whether there is something to receive that was read already, so that no poll tells of it."""
        return bool(self._read)

    @property
    def writing(self) -> int:
        """What messages are written to, for what is none of them."""
        return self._writing

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send a message; `kind` is one byte. Raises OSError if the other side does not take it."""
        head = _HEAD.pack(kind, len(body))
        if len(body) <= _SMALL:
            self._write(head + body)
        else:
            self._write(head)
            self._write(body)

    def receive(self) -> tuple[bytes, bytes | bytearray]:
        """Wait for a message; returns its kind and its body.

        Raises:
            EOFError: The other side has closed its end.
        """
        data = self._read or self._some()
        while len(data) < _HEAD.size:
            data += self._some()
        kind, size = _HEAD.unpack_from(data)
        end = _HEAD.size + size
        if len(data) >= end:
            self._read = data[end:]
            return kind, data[_HEAD.size : end]
        self._read = b""
        return kind, self._rest(data, size)

    def close(self) -> None:
        """Close this end."""
        if not self._closed:
            self._closed = True
            os.close(self._reading)
            os.close(self._writing)

    def _write(self, data: bytes) -> None:
        written = os.write(self._writing, data)
        if written < len(data):
            with memoryview(data) as view:
                while written < len(data):
                    written += os.write(self._writing, view[written:])

    def _some(self) -> bytes:
        data = os.read(self._reading, _CHUNK)
        if not data:
            raise EOFError
        return data

    def _rest(self, data: bytes, size: int) -> bytearray:
        body = bytearray(size)
        at = len(data) - _HEAD.size
        body[:at] = data[_HEAD.size :]
        with memoryview(body) as view:
            while at < size:
                got = os.readv(self._reading, [view[at:]])
                if not got:
                    raise EOFError
                at += got
        return body
