"""The schema is made as a whole, and files that are none of milo's are refused before anything in them changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from milo.journal import schema
from milo.journal.errors import DamagedError, JournalError


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as made:
        yield made


def test_create(connection: sqlite3.Connection) -> None:
    """What is made is a journal, marked as such."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    assert schema.is_empty(connection, path)
    schema.create(connection)
    assert not schema.is_empty(connection, path)
    schema.require_ours(connection, "x")
    assert connection.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"milo"
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA == 1


def test_all_or_nothing(connection: sqlite3.Connection) -> None:
    """A table that is in the way leaves everything as it was."""
    connection.execute("CREATE TABLE logs (x)")
    with pytest.raises(sqlite3.OperationalError):
        schema.create(connection)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    assert not connection.in_transaction


def test_newer_schema(connection: sqlite3.Connection) -> None:
    """A journal of a newer milo is refused, with both numbers and what to do."""
    schema.create(connection)
    connection.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="schema 2; this milo knows schemas up to 1") as caught:
        schema.require_ours(connection, "x")
    assert not isinstance(caught.value, DamagedError)
    assert "newer milo" in caught.value.hint


def test_strangers_database(connection: sqlite3.Connection) -> None:
    """A database of another program is refused as such."""
    connection.execute("CREATE TABLE users (x)")
    with pytest.raises(JournalError, match="database of another program") as caught:
        schema.require_ours(connection, "x")
    assert not isinstance(caught.value, DamagedError)


@pytest.mark.parametrize("harm", ["DROP TABLE logs", "PRAGMA application_id = 7", "PRAGMA user_version = 0"])
def test_missing_parts(connection: sqlite3.Connection, harm: str) -> None:
    """A journal with something missing is damaged, not somebody else's."""
    schema.create(connection)
    connection.execute(harm)
    with pytest.raises(DamagedError):
        schema.require_ours(connection, "x")


def test_numbers_are_never_given_twice(connection: sqlite3.Connection) -> None:
    """The number of a run that was deleted is not given to another."""
    schema.create(connection)
    insert = "INSERT INTO runs (name, pipeline, target, started) VALUES (?, '', '', 0)"
    first = connection.execute(insert, ("a",)).lastrowid
    connection.execute("DELETE FROM runs")
    assert connection.execute(insert, ("b",)).lastrowid != first


def test_marks_index_is_used(connection: sqlite3.Connection) -> None:
    """Finding what is about the run as a whole does not read all its records."""
    schema.create(connection)
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN SELECT place, substr(data, 1, 1) FROM records WHERE {schema.MARKS} "
        "AND place > 1 AND place <= 2 ORDER BY place"
    ).fetchall()
    assert any("marks" in str(row) for row in plan), plan
