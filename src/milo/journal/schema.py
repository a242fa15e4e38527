"""The schema of a journal: its tables, how they are made, and which files are refused.

Schema 1. A row's `place` is the number of its run times 2**40 plus its number in the run, from 1.

- ``runs``: a row a run, written once. `number` is never given twice.
- ``records``: what happened in a run, in order and without gaps; `data` begins with a byte for its kind (see
  `entries`), `hash` is chained from row to row (see `chain`), from a seed made of the row in ``runs``.
- ``results``: results too large to stand in their record, at the same place; the record has the hash of `data`.
- ``logs``: the last lines of each phase. `data` says after which record a line came, and `hash` is chained from that
  record's. Older lines are deleted, so the numbers have gaps.

``application_id`` is "milo" in ASCII, ``user_version`` the number of the schema. A later milo reads earlier schemas; an
earlier one refuses later schemas.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from milo.journal.errors import DamagedError, JournalError

__all__ = [
    "APPLICATION_ID",
    "MARKS",
    "MAX_NUMBER",
    "RUN_SHIFT",
    "SCHEMA",
    "create",
    "is_empty",
    "require_ours",
]

APPLICATION_ID: Final = int.from_bytes(b"milo", "big")
SCHEMA: Final = 1
RUN_SHIFT: Final = 40
MAX_NUMBER: Final = (1 << RUN_SHIFT) - 1

MARKS: Final = "substr(data, 1, 1) < x'15'"
"""Which records are about the run as a whole, not about a phase: few, so an index of them finds a run's end at once."""

_TABLES: Final = (
    "CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, "
    "pipeline TEXT NOT NULL, target TEXT NOT NULL, started REAL NOT NULL)",
    "CREATE TABLE records (place INTEGER PRIMARY KEY, data BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE results (place INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE logs (place INTEGER PRIMARY KEY, data BLOB NOT NULL, hash BLOB NOT NULL)",
    f"CREATE INDEX marks ON records (place) WHERE {MARKS}",
)
_NAMES: Final = frozenset({"runs", "records", "results", "logs"})
_SCHEMA: Final = {statement.split()[2]: statement for statement in _TABLES}


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database; all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_empty(connection: sqlite3.Connection, path: str | os.PathLike[str]) -> bool:
    """Whether nobody has made anything in the database yet.

    Raises:
        DamagedError: There is something in the file, but no database.
    """
    if _number(connection, "PRAGMA page_count") == 0:
        # SQLite takes what is shorter than a page for nothing, and would write over it. Asked once more, because
        # another process may just have made it.
        if os.path.getsize(path) and _number(connection, "PRAGMA page_count") == 0:
            raise DamagedError(f"{path} is not a database.")
        return True
    return (
        _number(connection, "SELECT count(*) FROM sqlite_master") == 0
        and _number(connection, "PRAGMA application_id") == 0
        and _number(connection, "PRAGMA user_version") == 0
    )


def require_ours(connection: sqlite3.Connection, path: str | os.PathLike[str]) -> None:
    """Refuse a database that is not a journal this milo can read.

    Raises:
        JournalError: It belongs to another program, or to a newer milo.
        DamagedError: It is a journal with something missing.
    """
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application == APPLICATION_ID and version > SCHEMA:
        raise JournalError(
            f"The journal {path} has schema {version}; this milo knows schemas up to {SCHEMA}.",
            hint="It was written by a newer milo: use that one, or another journal with --journal PATH.",
        )
    if application != APPLICATION_ID and not found.keys() >= _NAMES:
        raise JournalError(
            f"{path} is a database of another program, not a journal of milo.",
            hint="Name another file with --journal PATH.",
        )
    # To the letter: a type with a wrong letter would let SQLite change the values.
    if application != APPLICATION_ID or version < 1 or not found.items() >= _SCHEMA.items():
        raise DamagedError(f"The journal {path} is damaged: its tables are not as milo makes them.")


def _number(connection: sqlite3.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0
