"""Connections to a journal's database: one that writes, and others that only read and disturb nobody."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from milo.journal import schema
from milo.journal.errors import DamagedError, EmptyError, JournalError, explained
from milo.journal.faults import reached
from milo.journal.location import companions, require_file

__all__ = ["DURABILITIES", "Durability", "open_reader", "open_writer"]

Durability = Literal["process", "power"]
DURABILITIES: Final = ("process", "power")

_BUSY_S: Final = 10.0
# Pages of 4 KiB in the write-ahead log before they are copied into the database: that syncs, so not too often.
_CHECKPOINT_PAGES: Final = 4000
# 300 MB a second: below this size nobody notices that the whole file is looked through.
_CHECKED_BYTES: Final = 16 << 20


def open_writer(path: Path, durability: Durability = "process") -> sqlite3.Connection:
    """A connection that may write; makes the journal if there is none. The caller keeps others from doing so meanwhile.

    Args:
        path: The journal's file, whose folder exists.
        durability: "process" survives the death of any process, "power" also that of the machine.

    Raises:
        JournalError: It cannot be opened, or is not a journal that this milo can write to.
        DamagedError: It is damaged.
    """
    require_file(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            os.fspath(path), timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        reached("connected")
        _guard(connection)
        new = schema.is_empty(connection, path)
        if not new:
            # Before anything is changed: it may be somebody else's.
            schema.require_ours(connection, path)
        _set_up(connection, path, durability)
        if new:
            schema.create(connection)
            reached("schema made")
        elif os.path.getsize(path) <= _CHECKED_BYTES:
            _require_sound(connection, path)
    except BaseException as error:
        if connection is not None:
            close_quietly(connection)
        if isinstance(error, sqlite3.Error | OSError | ValueError):
            raise explained(error, path, "opened") from None
        raise
    return connection


def _guard(connection: sqlite3.Connection) -> None:
    """Take nothing in the file on trust."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def _set_up(connection: sqlite3.Connection, path: Path, durability: Durability) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"The journal {path} cannot be written while others read it: its file system offers no shared memory.",
            hint="Keep the journal on a local disk, with --journal PATH.",
        )
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if durability == "power":
        connection.execute("PRAGMA synchronous = FULL")
        # Only on macOS does it mean anything: there an ordinary sync stops at the disk's cache.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    # Writing to a file whose pages are mixed up could destroy what is still good in it.
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict is None or verdict[0] != "ok":
        # Its first lines name the database, which has but one.
        why = str(verdict[0]).strip().splitlines()[-1:] if verdict else []
        raise DamagedError(f"The journal {path} is damaged: {why[0] if why else 'it cannot be checked'}.")


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, while others may write.

    Of a damaged journal it reads what it can: what is read is held to the chain (see `run_rows`).

    Raises:
        EmptyError: There is no journal, or nothing in it yet.
        JournalError: It cannot be opened, or it is not one that this milo can read.
        DamagedError: It is damaged so much that nothing can be read.
    """
    require_file(path)
    if not path.exists():
        raise EmptyError(
            f"There is no journal {path}.", hint="Run a pipeline first, or name one with --journal PATH."
        )
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect_reader(path, "mode=ro")
        try:
            schema.is_empty(connection, path)
        except sqlite3.OperationalError:
            connection.close()
            if any(each.exists() for each in companions(path)):
                raise
            # In a folder where nothing can be made, what nobody is writing to can still be read.
            connection = _connect_reader(path, "immutable=1")
        if schema.is_empty(connection, path):
            raise EmptyError(f"The journal {path} has no runs yet.", hint="Run a pipeline first.")
        with contextlib.suppress(DamagedError):
            schema.require_ours(connection, path)
    except BaseException as error:
        if connection is not None:
            close_quietly(connection)
        if isinstance(error, sqlite3.Error | OSError | ValueError):
            raise explained(error, path, "opened") from None
        raise
    return connection


def _connect_reader(path: Path, options: str) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    _guard(connection)
    # Otherwise SQLite reads nothing at all of a file that was cut off. Nothing can be written through this connection.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def close_quietly(connection: sqlite3.Connection) -> None:
    """Close a connection that is of no use any more, whatever state it is in."""
    with contextlib.suppress(sqlite3.Error):
        connection.close()
