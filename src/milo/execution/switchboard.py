"""The switchboard: a socket at which workers of a pool tell what goes on in attempts, and hear what becomes of them."""

from __future__ import annotations

import os
import threading
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
        self._closed = False
        threading.Thread(target=self._accept, name="milo-switchboard", daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        self._closed = True
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
            threading.Thread(target=self._hear, args=(connection,), name="milo-line", daemon=True).start()
        self._listener.close()

    def _hear(self, connection: Connection) -> None:
        try:
            while True:
                token, kind, what = connection.recv()
                trip = self._desk.find(token)
                if trip is None:
                    continue
                if kind == _LINE:
                    trip.line(*what)
                else:
                    trip.job.on_cancel(partial(_tell, connection, token))
        except (EOFError, OSError):
            connection.close()
        except Exception:  # noqa: BLE001 - a view that fails must not cut off the others' lines
            log.exception("What a worker told could not be used")


def _tell(connection: Connection, token: str) -> None:
    try:
        connection.send(token)
    except OSError:
        return  # its process is gone, which the pool says as well


class _Line:
    """A worker's end: one for all attempts that its process runs for a run, one after the other or at once."""

    def __init__(self, address: Address) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._kept: dict[str, list[tuple[str, str]]] = {}
        self._connection: Any = None
        try:
            self._connection = Client(address.place, authkey=address.key)
        except Exception:  # noqa: BLE001 - on another machine, say: lines then travel with the outcome
            return
        threading.Thread(target=self._hear, name="milo-line", daemon=True).start()

    def line(self, token: str, stream: str, line: str) -> None:
        if self._send(token, _LINE, (stream, line)):
            self._told[token] = self._told.get(token, 0) + 1
        else:
            self._kept.setdefault(token, []).append((stream, line))

    def heeds(self, token: str) -> None:
        self._send(token, _HEEDS, None)

    def end(self, token: str) -> tuple[int, list[tuple[str, str]]]:
        """No more lines come; returns how many were told, and those that could not be."""
        return self._told.pop(token, 0), self._kept.pop(token, [])

    def _send(self, *message: object) -> bool:
        with self._lock:
            if self._connection is None:
                return False
            try:
                self._connection.send(message)
            except OSError:
                self._connection = None
                return False
            return True

    def _hear(self) -> None:
        try:
            while True:
                cancel(self._connection.recv())
        except (EOFError, OSError, AttributeError):
            self._connection = None


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
