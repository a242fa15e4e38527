"""Rows go into tables as they are given, in any number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from milo.journal import schema
from milo.journal.rows import delete_places, insert, transaction


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        schema.create(made)
        yield made


@pytest.mark.parametrize("count", [0, 1, 7, 8, 63, 64, 65, 200])
def test_insert(connection: sqlite3.Connection, count: int) -> None:
    """Every row arrives, with its values in their places."""
    rows = [(number, bytes((number % 256,)), b"h") for number in range(count)]
    insert(connection, "records", [value for row in rows for value in row])
    insert(connection, "results", [value for row in rows for value in row[:2]])
    assert connection.execute("SELECT * FROM records ORDER BY place").fetchall() == rows
    assert connection.execute("SELECT count(*) FROM results").fetchone() == (count,)


@pytest.mark.parametrize("count", [0, 1, 9, 64, 100])
def test_delete(connection: sqlite3.Connection, count: int) -> None:
    """Exactly the places that are named are deleted."""
    insert(connection, "logs", [value for number in range(200) for value in (number, b"d", b"h")])
    delete_places(connection, range(count))
    assert [row[0] for row in connection.execute("SELECT place FROM logs")] == list(range(count, 200))


def test_transaction(connection: sqlite3.Connection) -> None:
    """What fails in the middle leaves nothing behind, and the next one works."""
    with pytest.raises(sqlite3.IntegrityError), transaction(connection):
        insert(connection, "results", [1, b"a", 1, b"b"])
    assert not connection.in_transaction
    with transaction(connection):
        insert(connection, "results", [1, b"c"])
    assert connection.execute("SELECT data FROM results").fetchall() == [(b"c",)]


def test_transaction_that_cannot_be_rolled_back(connection: sqlite3.Connection) -> None:
    """Why something failed is not hidden by a rollback that fails too."""

    def fail() -> None:
        connection.execute("ROLLBACK")
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"), transaction(connection):
        fail()
