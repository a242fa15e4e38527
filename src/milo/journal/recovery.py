"""A damaged journal made whole: what can be trusted is copied into a new file, and the damaged one is set aside."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from milo.journal.action_reader import kept_in
from milo.journal.chain import link
from milo.journal.database import close_quietly, open_reader, open_writer
from milo.journal.entries import LOG_LINE
from milo.journal.errors import DamagedError, JournalError, explained
from milo.journal.faults import reached
from milo.journal.location import companions, is_default, locks_folder
from milo.journal.lock import is_locked
from milo.journal.rows import insert, transaction
from milo.journal.run_rows import RunRow, RunRows, run_rows
from milo.journal.schema import RUN_SHIFT

__all__ = ["finish_recovery", "recover"]


def recover(path: Path, damage: DamagedError) -> str:
    """Make a damaged journal whole. The caller keeps others from opening it meanwhile.

    Args:
        path: The journal's file.
        damage: What is wrong with it.

    Returns:
        What was done, for people.

    Raises:
        JournalError: It cannot be done, or a run is being recorded in it; the file is as it was.
    """
    _require_idle(path, damage)
    making = path.with_name(path.name + ".recovering")
    try:
        _remove(making)
        whole, part = _copy(path, making, damage)
        reached("copy recovered")
        # From here on the copy counts, whoever completes the exchange.
        os.replace(making, _recovered(path))
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path, "recovered") from None
    aside = finish_recovery(path)
    kept = f"{whole} runs were kept" + (f", and {part} up to where the damage begins" if part else "")
    return f"{damage.message} It was made anew: {kept}. The damaged file is {aside}."


def finish_recovery(path: Path) -> Path | None:
    """Put a journal that was made whole in the place of the damaged one, if that has not been done yet.

    Returns:
        Where the damaged one is now; None if there was nothing to do.

    Raises:
        JournalError: The files cannot be renamed.
    """
    recovered = _recovered(path)
    if not recovered.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        for old, new in zip((path, *companions(path)), (aside, *companions(aside)), strict=True):
            # What SQLite kept beside the damaged file must never be taken for the new one's.
            with contextlib.suppress(FileNotFoundError):
                os.rename(old, new)
        reached("damaged set aside")
        os.replace(recovered, path)
        reached("copy in place")
    except OSError as error:
        raise explained(error, path, "recovered") from None
    return aside


def _recovered(path: Path) -> Path:
    return path.with_name(path.name + ".recovered")


def _require_idle(path: Path, damage: DamagedError) -> None:
    with contextlib.suppress(OSError):
        for file in locks_folder(path).iterdir():
            if not file.name.startswith("_") and is_locked(file):
                raise DamagedError(
                    f"{damage.message} It cannot be recovered while a run is recorded in it ({file.name}).",
                    hint="Wait for that run, or use another journal with --journal PATH.",
                )


def _remove(path: Path) -> None:
    for file in (path, *companions(path)):
        file.unlink(missing_ok=True)


def _copy(path: Path, making: Path, damage: DamagedError) -> tuple[int, int]:
    """Copy what can be trusted; how many runs were copied as a whole, and how many in part."""
    whole = part = 0
    source = _opened(path, damage)
    target = open_writer(making)
    try:
        for row in _readable(source) if source is not None else ():
            rows = RunRows(source, row)  # type: ignore[arg-type]
            count = _copy_run(source, target, row, rows)  # type: ignore[arg-type]
            if count:
                whole += not rows.damage
                part += bool(rows.damage)
    finally:
        if source is not None:
            close_quietly(source)
        target.close()
    return whole, part


def _opened(path: Path, damage: DamagedError) -> sqlite3.Connection | None:
    try:
        return open_reader(path)
    except JournalError:
        if not is_default(path):
            # It may never have been a journal, and is not milo's to move.
            raise JournalError(
                f"{damage.message} Nothing in it can be read as a journal.",
                hint="Move it away, or name another file with --journal PATH.",
            ) from None
        return None


def _readable(source: sqlite3.Connection) -> list[RunRow]:
    """The rows of `runs` that can be read, the oldest first."""
    found: list[RunRow] = []
    with contextlib.suppress(sqlite3.Error):
        # One by one: those before the damage are kept.
        for row in run_rows(source):
            found.append(row)
    return found[::-1]


def _copy_run(source: sqlite3.Connection, target: sqlite3.Connection, row: RunRow, rows: RunRows) -> int:
    """Copy a run up to where it can be trusted; how many records that are."""
    base = row.number << RUN_SHIFT
    count = 0
    with transaction(target):
        with contextlib.closing(rows.fresh()) as fresh:
            for data in fresh:
                if data[0] == LOG_LINE:
                    line = data[1:]
                    insert(target, "logs", (base + rows.line, line, link(rows.head, line)))
                    continue
                count += 1
                insert(target, "records", (base + rows.seq, data, rows.head))
                _copy_result(source, target, base + rows.seq, data)
        if count:
            target.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", row)
    return count


def _copy_result(source: sqlite3.Connection, target: sqlite3.Connection, place: int, data: bytes) -> None:
    found = None
    with contextlib.suppress(DamagedError, sqlite3.Error):
        found = kept_in(data)
    if found is None or found[1].digest is None:
        return
    with contextlib.suppress(sqlite3.Error):
        result = source.execute("SELECT data FROM results WHERE place = ?", (place,)).fetchone()
        if result is not None and result[0].__class__ is bytes:
            insert(target, "results", (place, result[0]))
