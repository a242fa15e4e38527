"""The rows of one run as they were written: read in order, held to the chain, up to where they can be trusted."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from typing import Any, Final, NamedTuple

from milo.journal.chain import link, seed
from milo.journal.entries import LOG, LOG_LINE
from milo.journal.schema import MAX_NUMBER, RUN_SHIFT

__all__ = ["RunRow", "RunRows", "kept_text", "run_rows"]

_LOG_LINE: Final = bytes((LOG_LINE,))


class RunRow(NamedTuple):
    """A row of `runs`."""

    number: int
    name: str
    pipeline: str
    target: str
    started: float

    @property
    def seed(self) -> bytes:
        """The hash before its first record."""
        return seed(self.name, self.pipeline, self.target, self.started)


def kept_text(text: str) -> str:
    """A text as `runs` keeps it: a path need not be UTF-8, and SQLite takes nothing else."""
    return text.encode("utf-8", "backslashreplace").decode()


def run_rows(connection: sqlite3.Connection) -> Iterator[RunRow]:
    """Every run in the journal, the newest first; what is no row of a run is left out."""
    for row in connection.execute(
        "SELECT number, name, pipeline, target, started FROM runs ORDER BY number DESC"
    ):
        number, name, pipeline, target, started = row
        if (
            type(number) is int
            and type(started) in (int, float)
            and {type(text) for text in row[1:4]} == {str}
        ):
            yield RunRow(number, name, pipeline, target, float(started))


class RunRows:
    """The rows of a run; asked again, it gives those that have come since.

    Args:
        connection: For reading.
        row: The run.
    """

    def __init__(self, connection: sqlite3.Connection, row: RunRow) -> None:
        self._connection = connection
        self._base = row.number << RUN_SHIFT
        self.seq = 0
        """How many records were given."""
        self.head = row.seed
        """The hash of the last of them."""
        self.line = 0
        """The number of the last log line that was given."""
        self.damage = ""
        """Why nothing comes after that, although there is more; "" as long as all is well."""
        self.lost_lines = 0
        """Log lines that were passed over, because they are not what was written."""

    def fresh(self) -> Generator[bytes, None, None]:
        """The data of the rows that have come, log lines at their place among the records."""
        if self.damage:
            return
        connection = self._connection
        try:
            # One look at both tables, whatever is written meanwhile.
            connection.execute("BEGIN")
            try:
                yield from self._merged()
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.damage = f"after record {self.seq}: {error}"

    def _merged(self) -> Iterator[bytes]:
        lines = self._lines()
        waiting = self._next_line(lines)
        for place, data, hashed in self._select("records", self.seq):
            seq = self.seq + 1
            if place != self._base + seq or data.__class__ is not bytes or not data:
                self.damage = f"after record {self.seq}: a record is missing"
                return
            while waiting is not None and waiting[0] < seq:
                yield from self._line(waiting)
                waiting = self._next_line(lines)
            head = link(self.head, data)
            if head != hashed:
                self.damage = f"after record {self.seq}: the next one is not what was written"
                return
            self.seq = seq
            self.head = head
            yield data
        while waiting is not None:
            yield from self._line(waiting)
            waiting = self._next_line(lines)

    def _select(self, table: str, after: int) -> Iterator[tuple[Any, Any, Any]]:
        return self._connection.execute(
            f"SELECT place, data, hash FROM {table} WHERE place > ? AND place <= ? ORDER BY place",
            (self._base + after, self._base + MAX_NUMBER),
        )

    def _lines(self) -> Iterator[tuple[Any, Any, Any]]:
        try:
            yield from self._select("logs", self.line)
        except sqlite3.Error:
            # What is wrong with the output is no reason to lose what was done.
            self.lost_lines += 1

    def _next_line(self, lines: Iterator[tuple[Any, Any, Any]]) -> tuple[int, int, bytes, Any] | None:
        """After which record the next line came, its number, its data and its hash."""
        for place, data, hashed in lines:
            if data.__class__ is bytes and len(data) >= LOG.size:
                return LOG.unpack_from(data)[0], place - self._base, data, hashed
            self.lost_lines += 1
        return None

    def _line(self, line: tuple[int, int, bytes, Any]) -> Iterator[bytes]:
        after, number, data, hashed = line
        if after == self.seq and link(self.head, data) == hashed:
            self.line = number
            yield _LOG_LINE + data
        else:
            self.lost_lines += 1
