"""Link: messages between a run and a worker process of its own, over a socket."""

from __future__ import annotations

import socket
import struct

__all__ = ["Link"]

_HEAD = struct.Struct("!cQ")  # one byte that says what it is, and how long it is
_SMALL = 16_384
_CHUNK = 65_536


class Link:
    """One end of a connection. One thread at a time may send, and one may receive.

    A small message costs one system call on either side, and a large one is not copied.

    Args:
        connected: A blocking stream socket, which is closed with this.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._read = b""

    def fileno(self) -> int:
        """The socket's descriptor; -1 when it is closed."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether there is something to receive that was read already, so that no poll tells of it."""
        return bool(self._read)

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send a message; `kind` is one byte. Raises OSError if the other side does not take it."""
        head = _HEAD.pack(kind, len(body))
        if len(body) <= _SMALL:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)

    def receive(self) -> tuple[bytes, bytes | bytearray]:
        """Wait for a message; returns its kind and its body.

        Raises:
            EOFError: The other side has closed its end.
            OSError: It has done so without taking all that was sent to it.
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
        self._socket.close()

    def _some(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError
        return data

    def _rest(self, data: bytes, size: int) -> bytearray:
        body = bytearray(size)
        at = len(data) - _HEAD.size
        body[:at] = data[_HEAD.size :]
        with memoryview(body) as view:
            while at < size:
                got = self._socket.recv_into(view[at:])
                if not got:
                    raise EOFError
                at += got
        return body
