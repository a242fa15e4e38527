"""The runs that a journal has, told in a line each without replaying them."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from milo.action import Action
from milo.journal.action_reader import ActionReader
from milo.journal.database import open_reader
from milo.journal.declared import read_head
from milo.journal.entries import (
    BROKEN,
    HEAD,
    PIPELINE_CANCELLED,
    PIPELINE_COMPLETE,
    PIPELINE_END,
    PIPELINE_START,
)
from milo.journal.errors import DamagedError, JournalError, explained
from milo.journal.lock import Holder, holder_of
from milo.journal.notes import note_of
from milo.journal.run_rows import RunRow, kept_text, run_rows
from milo.journal.schema import MARKS, MAX_NUMBER, RUN_SHIFT

__all__ = ["RunInfo", "describe", "find", "history", "latest", "unfinished"]

_END_KINDS: Final = (PIPELINE_COMPLETE, PIPELINE_CANCELLED, PIPELINE_END)


class RunInfo(NamedTuple):
    """A run at a glance.

    Attributes:
        row: Its row: number, name, pipeline, target, when it was begun.
        status: running, completed, failed or cancelled; interrupted if its process is gone; "damaged" if it cannot be
            told.
        started: Seconds since the epoch, of the last process that worked on it.
        elapsed: Seconds from then to its last action.
        phases: How many it has.
        holder: Who is at work on it; None when nobody is.
        broken: Why it cannot be resumed; "" when it can, or has completed.
    """

    row: RunRow
    status: str
    started: float
    elapsed: float
    phases: int
    holder: Holder | None
    broken: str

    @property
    def resumable(self) -> bool:
        """Whether `--resume` can go on with it."""
        return self.status in ("failed", "cancelled", "interrupted") and not self.broken

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": self.row.name,
            "pipeline": self.row.pipeline,
            "target": self.row.target,
            "status": self.status,
            "started": self.started,
            "elapsed": self.elapsed,
            "phases": self.phases,
            "resumable": self.resumable,
            "pid": self.holder.pid if self.holder else None,
            "note": self.broken,
        }


def history(path: Path, limit: int | None = None, *, target: str = "") -> list[RunInfo]:
    """The runs of a journal, the newest first.

    Args:
        path: The journal's file.
        limit: How many at most.
        target: Only those of this target, resolved; "" for all.

    Raises:
        EmptyError: There is no journal, or nothing in it yet.
        JournalError: It cannot be read.
    """
    target = kept_text(target)
    connection = open_reader(path)
    try:
        wanted = (row for row in run_rows(connection) if not target or row.target == target)
        rows = itertools.islice(wanted, limit)
        return [describe(connection, path, row) for row in rows]
    except sqlite3.Error as error:
        raise explained(error, path, "read") from None
    finally:
        connection.close()


def find(connection: sqlite3.Connection, path: Path, name: str | None) -> RunRow:
    """The run called `name`, or whose name begins with it; the `latest` when it is None.

    Raises:
        JournalError: There is none, or several.
    """
    try:
        rows = list(run_rows(connection))
    except sqlite3.Error as error:
        raise explained(error, path, "read") from None
    if not rows:
        raise JournalError(f"The journal {path} has no runs.", hint="Run a pipeline first.")
    if name is None:
        return latest(connection, rows)
    found = [row for row in rows if row.name == name] or [row for row in rows if row.name.startswith(name)]
    if len(found) != 1:
        what = f"has {len(found)} runs whose names begin with" if found else "has no run"
        raise JournalError(f"The journal {path} {what} {name!r}.", hint="`milo history` lists the runs.")
    return found[0]


def latest(connection: sqlite3.Connection, rows: Sequence[RunRow]) -> RunRow:
    """Of some runs, the newest first, the one that a process has begun to work on last: a new one, or to go on with it.

    Raises:
        IndexError: There are none.
    """
    newest = rows[0]
    resumed = _resumed(connection)
    since = resumed.get(newest.number, newest.started)
    later = [row for row in rows[1:] if resumed.get(row.number, since) > since]
    return max(later, key=lambda row: resumed[row.number], default=newest)


def _resumed(connection: sqlite3.Connection) -> dict[int, float]:
    """When each run that was gone on with was so last, in seconds since the epoch, by its number."""
    found: dict[int, float] = {}
    # Each head but the first record of a run is that of a process that goes on with it.
    heads = f"SELECT place, data FROM records WHERE {MARKS} AND substr(data, 1, 1) = ? AND place & ? > 1 ORDER BY place"
    # What is damaged tells nothing of when.
    with contextlib.suppress(sqlite3.Error):
        for place, data in connection.execute(heads, (bytes((HEAD,)), MAX_NUMBER)):
            with contextlib.suppress(JournalError):
                found[place >> RUN_SHIFT] = _seconds(read_head(data).time)
    return found


def unfinished(connection: sqlite3.Connection, path: Path, pipeline: str, target: str) -> RunInfo | None:
    """The newest run of a pipeline that has not completed, or None; it may be running just now."""
    wanted = (kept_text(pipeline), kept_text(target))
    for row in run_rows(connection):
        if (row.pipeline, row.target) == wanted:
            info = describe(connection, path, row)
            if info.resumable or info.status == "running":
                return info
    return None


def describe(connection: sqlite3.Connection, path: Path, row: RunRow) -> RunInfo:
    """A run at a glance."""
    # Asked first, so that a run that ends meanwhile is not taken for dead.
    holder = holder_of(path, row.name)
    status, started, elapsed, phases, broken = _outcome(connection, row)
    if holder is not None:
        status = "running"
    elif status == "running":
        status = "interrupted"
    if not broken and status not in ("running", "completed"):
        broken = note_of(path, row.name)
    return RunInfo(row, status, started, elapsed, phases, holder, broken)


def _outcome(connection: sqlite3.Connection, row: RunRow) -> tuple[str, float, float, int, str]:
    """Status, start, elapsed time, number of phases, and why actions are missing."""
    reader = ActionReader(())
    try:
        marks = _marks(connection, row)
        head = _last(connection, marks, (HEAD,))
        if head is None:
            return "running", row.started, 0.0, 0, ""
        about = read_head(head)
        begun = _payload(reader, _last(connection, marks, (PIPELINE_START,)))
        end = _last(connection, marks, _END_KINDS)
        status = _status(reader.decode(end)) if end is not None else "running"
        elapsed = (
            _seconds(_payload(reader, end).get("at")) - _seconds(begun.get("at")) if end is not None else 0.0
        )
        why = "actions are missing at its end" if marks[-1][1] == BROKEN else ""
        return status, about.time or row.started, max(0.0, elapsed), about.phases, why
    except (sqlite3.Error, JournalError):
        return "damaged", row.started, 0.0, 0, "it is damaged"


def _marks(connection: sqlite3.Connection, row: RunRow) -> list[tuple[int, int]]:
    """The places and kinds of the records about the run as a whole, of its last sitting, in order."""
    base = row.number << RUN_SHIFT
    found = connection.execute(
        f"SELECT place, substr(data, 1, 1) FROM records WHERE {MARKS} AND place > ? AND place <= ? ORDER BY place",
        (base, base + MAX_NUMBER),
    )
    marks = [(place, kind[0]) for place, kind in found if kind.__class__ is bytes and kind]
    heads = [at for at, (_, kind) in enumerate(marks) if kind == HEAD]
    return marks[heads[-1] :] if heads else []


def _last(
    connection: sqlite3.Connection, marks: Sequence[tuple[int, int]], kinds: Sequence[int]
) -> bytes | None:
    """The data of the last record of these kinds."""
    for place, kind in reversed(marks):
        if kind in kinds:
            found = connection.execute("SELECT data FROM records WHERE place = ?", (place,)).fetchone()
            if found is None or found[0].__class__ is not bytes or found[0][:1] != bytes((kind,)):
                raise DamagedError("A record is not where the index says.")
            return bytes(found[0])
    return None


def _payload(reader: ActionReader, record: bytes | None) -> dict[str, Any]:
    payload = reader.decode(record).payload if record is not None else None
    return payload if isinstance(payload, dict) else {}


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _status(action: Action) -> str:
    if action.type.endswith("COMPLETE"):
        return "completed"
    if action.type.endswith("CANCELLED"):
        return "cancelled"
    status = action.payload.get("status") if isinstance(action.payload, dict) else None
    return status if isinstance(status, str) else "failed"
