"""Faults of disks and of SQLite become one kind of error that says what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from milo.journal.errors import DamagedError, HeldError, JournalError, explained


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_READONLY, "read-only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "read-only"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened or created"),
        (sqlite3.SQLITE_IOERR_FSYNC, "the disk reports an error"),
        (sqlite3.SQLITE_BUSY, "another program keeps it locked"),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "another process writes to the same run"),
    ],
)
def test_sqlite(code: int, words: str) -> None:
    """SQLite's codes, the extended ones too, are said in words, with a next step."""
    error = explained(sqlite_error(code), "/x/runs.db", "written")
    assert type(error) is JournalError
    assert "The journal /x/runs.db cannot be written" in error.message
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, 0])
def test_damage(code: int) -> None:
    """Anything that only a wrong file can cause is damage."""
    assert type(explained(sqlite_error(code), "x", "read")) is DamagedError


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EFBIG]
)
def test_system(number: int) -> None:
    """The operating system's errors name the file and the next step."""
    error = explained(OSError(number, os.strerror(number), "/x/a.log"), Path("/x/runs.db"), "written")
    assert "/x/a.log cannot be written" in error.message
    assert error.hint


def test_unknown_system_error() -> None:
    """An error without words of our own keeps the system's."""
    assert (
        os.strerror(errno.ELOOP)
        in explained(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), "x", "opened").message
    )


def test_its_own_errors_stay() -> None:
    """What is a JournalError already comes back as it is."""
    error = HeldError("Held.", pid=3, host="h")
    assert explained(error, "x", "opened") is error


def test_no_control_characters() -> None:
    """A path with control characters cannot draw on the terminal."""
    assert "\x1b" not in str(explained(OSError(errno.EIO, "x", "/a\x1b[2J"), "x", "written"))
