"""Rows into tables, many at a time: SQLite works while the program's other threads go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["delete_places", "insert", "transaction"]

# One statement takes so many rows; each statement gives up the interpreter once. SQLite allows 999 values in the least.
_SIZES: Final = (64, 8, 1)
_COLUMNS: Final = {"records": 3, "logs": 3, "results": 2}
_INSERTS: Final = {
    (table, size): f"INSERT INTO {table} VALUES " + ",".join(["(" + ",".join("?" * columns) + ")"] * size)
    for table, columns in _COLUMNS.items()
    for size in _SIZES
}
_DELETES: Final = {size: f"DELETE FROM logs WHERE place IN ({','.join('?' * size)})" for size in _SIZES}


def insert(connection: sqlite3.Connection, table: str, values: Sequence[Any]) -> None:
    """Insert rows, their values one after the other, into `table`."""
    columns = _COLUMNS[table]
    _in_pieces(values, columns, lambda size, piece: connection.execute(_INSERTS[table, size], piece))


def delete_places(connection: sqlite3.Connection, places: Sequence[int]) -> None:
    """Delete log lines."""
    _in_pieces(places, 1, lambda size, piece: connection.execute(_DELETES[size], piece))


def _in_pieces(values: Sequence[Any], columns: int, do: Callable[[int, Sequence[Any]], object]) -> None:
    at = 0
    for size in _SIZES:
        width = size * columns
        while at + width <= len(values):
            do(size, values[at : at + width])
            at += width


class transaction:  # noqa: N801 - used like a function
    """All statements inside it, or none of them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except BaseException:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        # Some errors have rolled back already; and a rollback that fails must not hide why it was needed.
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return
