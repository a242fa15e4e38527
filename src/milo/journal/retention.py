"""Old runs out of a journal, and their output files with them."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from milo.journal.errors import HeldError, explained
from milo.journal.faults import reached
from milo.journal.location import logs_folder, safe_name
from milo.journal.lock import RunLock
from milo.journal.notes import drop_note
from milo.journal.rows import transaction
from milo.journal.run_rows import RunRow, run_rows
from milo.journal.schema import MAX_NUMBER, RUN_SHIFT

__all__ = ["DEFAULT_KEEP", "prune"]

DEFAULT_KEEP: Final = 100
"""How many runs a journal keeps unless somebody says otherwise."""


def prune(connection: sqlite3.Connection, path: Path, keep: int) -> list[str]:
    """Delete all runs but the newest `keep`; what is being run just now stays.

    Args:
        connection: For writing.
        path: The journal's file.
        keep: How many stay.

    Returns:
        The names of those that are gone.

    Raises:
        JournalError: The journal cannot be written.
    """
    gone = []
    try:
        for row in list(itertools.islice(run_rows(connection), max(0, keep), None)):
            try:
                lock = RunLock(path, row.name)
            except HeldError:
                continue
            try:
                _delete(connection, row)
                # What cannot be removed is only output, and nothing refers to it any more.
                shutil.rmtree(logs_folder(path) / safe_name(row.name), ignore_errors=True)
                drop_note(path, row.name)
                gone.append(row.name)
            finally:
                lock.release()
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path, "written") from None
    return gone


def _delete(connection: sqlite3.Connection, row: RunRow) -> None:
    base = row.number << RUN_SHIFT
    with transaction(connection):
        for table in ("records", "results", "logs"):
            connection.execute(
                f"DELETE FROM {table} WHERE place > ? AND place <= ?", (base, base + MAX_NUMBER)
            )
        connection.execute("DELETE FROM runs WHERE number = ?", (row.number,))
    reached("run deleted")
