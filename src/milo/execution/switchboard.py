"""The switchboard: a socket at which workers of a pool tell what goes on in attempts, and hear what becomes of them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, NamedTuple

from milo.execution.attending import cancel
from milo.execution.away import Desk
from milo.log import log

__all__ = ["Address", "Switchboard", "line_to"]

_LINE, _HEEDS = "line", "heeds"


class Address(NamedTuple):
    """Where a switchboard is, and what has to be known to be let in."""

    place: Any
    key: bytes


class Switchboard:
    """The run's end.

    Args:
        desk: Knows the attempts that are on their way.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        key = os.urandom(32)
        self._listener = Listener(authkey=key)
        self.address = Address(self._listener.address, key)
        self._lock = threading.Lock()  # guards what follows
        self._connections: set[Connection] = set()
        self._closed = False
        threading.Thread(target=self._accept, name="milo-switchboard", daemon=True).start()

    def close(self) -> None:
        """Hang up: a pool goes on, and its processes would keep their lines and their threads for ever."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = list(self._connections)
        for connection in connections:
            _tell(connection, None)
        # Nothing else wakes a thread that waits for a caller.
        try:
            Client(self.address.place, authkey=self.address.key).close()
        except (OSError, EOFError):
            return

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except Exception:  # noqa: BLE001 - a caller who knows no key, or hung up: the next one may be right
                continue
            with self._lock:
                if self._closed:
                    connection.close()
                    break
                self._connections.add(connection)
            threading.Thread(target=self._hear, args=(connection,), name="milo-line", daemon=True).start()
        self._listener.close()

    def _hear(self, connection: Connection) -> None:
        try:
            with connection, suppress(EOFError, OSError):
                while True:
                    self._note(connection, *connection.recv())
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _note(self, connection: Connection, token: str, kind: str, what: Any) -> None:
        trip = self._desk.find(token)
        if trip is None:
            return
        try:
            if kind == _LINE:
                trip.line(*what)
            else:
                trip.job.on_cancel(partial(_tell, connection, token))
        except Exception:  # noqa: BLE001 - a view that fails must not cut off the others' lines
            log.exception("What a worker told could not be used")


def _tell(connection: Connection, token: str | None) -> None:
    try:
        connection.send(token)
    except OSError:
        return  # its process is gone, which the pool says as well


class _Line:
    """A worker's end: one for all attempts that its process runs for a run, one after the other or at once."""

    def __init__(self, address: Address) -> None:
        # Guards what follows: each output of an attempt is read by a thread of its own.
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._kept: dict[str, list[tuple[str, str]]] = {}
        self._over = False
        self._connection: Any = None
        try:
            self._connection = connection = Client(address.place, authkey=address.key)
        except Exception:  # noqa: BLE001 - on another machine, say: lines then travel with the outcome
            return
        threading.Thread(target=self._hear, args=(connection,), name="milo-line", daemon=True).start()

    def line(self, token: str, stream: str, line: str) -> None:
        with self._lock:
            if self._send(token, _LINE, (stream, line)):
                self._told[token] = self._told.get(token, 0) + 1
            elif not self._over:
                self._kept.setdefault(token, []).append((stream, line))

    def heeds(self, token: str) -> None:
        with self._lock:
            self._send(token, _HEEDS, None)

    def end(self, token: str) -> tuple[int, list[tuple[str, str]]]:
        """No more lines come; returns how many were told, and those that could not be."""
        with self._lock:
            return self._told.pop(token, 0), self._kept.pop(token, [])

    def _send(self, *message: object) -> bool:
        """Send it, with the lock held; returns whether that could be done."""
        if self._connection is None:
            return False
        try:
            self._connection.send(message)
        except OSError:
            self._connection = None
            return False
        return True

    def _hear(self, connection: Any) -> None:
        over = False
        with connection:
            with suppress(EOFError, OSError):
                while (token := connection.recv()) is not None:
                    cancel(token)
                over = True  # the run has: nobody waits for lines of attempts that it has given up
            with self._lock:
                self._connection, self._over = None, over


_lines: dict[Address, _Line] = {}
_connecting = threading.Lock()


def line_to(address: Address) -> _Line:
    """The line to a run's switchboard; the same for every attempt that this process runs for it."""
    with _connecting:
        line = _lines.get(address)
        if line is None:
            # A pool may serve many runs: lines to those that have ended go.
            _lines.clear()
            line = _lines[address] = _Line(address)
        return line
