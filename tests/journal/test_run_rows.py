"""Rows are given in order, up to where they can be trusted, and again from there when more has come."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from milo.journal.database import open_reader
from milo.journal.entries import LOG, LOG_LINE
from milo.journal.recorder import Recorder
from milo.journal.run_rows import RunRows, run_rows
from milo.journal.schema import RUN_SHIFT
from tests.journal.world import begin, completed, pipeline_of, printed, start, started

RowsOf = Callable[[Path], RunRows]
ACTIONS = [
    start(),
    printed("a", "early"),
    started("a"),
    printed("a", "one"),
    printed("a", "two"),
    completed("a"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def recorder(path: Path) -> Recorder:
    recorder = begin(path, pipeline_of("a"))
    recorder.record(ACTIONS)
    recorder.record([printed("a", "late")])
    return recorder


def shape(rows: RunRows) -> list[str]:
    """What came: the number of a record, or the text of a line."""
    return [data[1 + LOG.size :].decode() if data[0] == LOG_LINE else str(rows.seq) for data in rows.fresh()]


@pytest.fixture
def rows_of() -> Iterator[RowsOf]:
    """What opens the rows of the only run; closed with the test."""
    with ExitStack() as stack:

        def opened(path: Path) -> RunRows:
            connection = stack.enter_context(closing(open_reader(path)))
            return RunRows(connection, next(run_rows(connection)))

        yield opened


def test_order(path: Path, recorder: Recorder, rows_of: RowsOf) -> None:
    """Lines stand where they came among the records."""
    rows = rows_of(path)
    assert shape(rows) == ["1", "2", "3", "early", "4", "one", "two", "5", "late"]
    assert (rows.seq, rows.line, rows.damage, rows.lost_lines) == (5, 4, "", 0)
    recorder.close()


def test_only_what_has_come(path: Path, recorder: Recorder, rows_of: RowsOf) -> None:
    """Asked again, it gives what was added, and nothing twice."""
    rows = rows_of(path)
    shape(rows)
    assert shape(rows) == []
    recorder.record([printed("a", "later"), started("a"), printed("a", "last")])
    assert shape(rows) == ["later", "6", "last"]
    recorder.close()


def harm(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


PLACE = 1 << RUN_SHIFT


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        (f"UPDATE records SET data = x'15' WHERE place = {PLACE + 4}", ["1", "2", "3", "early"]),
        (f"UPDATE records SET hash = x'15' WHERE place = {PLACE + 4}", ["1", "2", "3", "early"]),
        (f"UPDATE records SET data = 'text' WHERE place = {PLACE + 4}", ["1", "2", "3"]),
        (f"DELETE FROM records WHERE place = {PLACE + 4}", ["1", "2", "3"]),
        (f"DELETE FROM records WHERE place = {PLACE + 1}", []),
        (f"DELETE FROM records WHERE place > {PLACE + 3}", ["1", "2", "3", "early"]),
        ("UPDATE runs SET target = 'x'", []),
    ],
)
def test_damage(path: Path, recorder: Recorder, rows_of: RowsOf, statement: str, kept: list[str]) -> None:
    """A record that is changed or missing ends what can be trusted, without a word of what follows."""
    recorder.close()
    harm(path, statement)
    rows = rows_of(path)
    assert shape(rows) == kept
    assert bool(rows.damage) == ("place >" not in statement)
    assert shape(rows) == []


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE logs SET data = x'15' WHERE place = {PLACE + 2}",
        f"UPDATE logs SET hash = x'15' WHERE place = {PLACE + 2}",
        f"UPDATE logs SET data = 'text' WHERE place = {PLACE + 2}",
    ],
)
def test_damaged_line(path: Path, recorder: Recorder, rows_of: RowsOf, statement: str) -> None:
    """A line that is not what was written is left out and counted; what follows it is not lost."""
    recorder.close()
    harm(path, statement)
    rows = rows_of(path)
    assert shape(rows) == ["1", "2", "3", "early", "4", "two", "5", "late"]
    assert rows.lost_lines == 1
    assert not rows.damage


def test_rows_that_are_no_runs(path: Path, recorder: Recorder) -> None:
    """A row of `runs` with a value of another kind is left out."""
    recorder.close()
    harm(path, "INSERT INTO runs VALUES (7, x'00', 'p', 't', 0)")
    connection = open_reader(path)
    assert [row.number for row in run_rows(connection)] == [1]
    connection.close()


def test_reading_is_one_look(path: Path, recorder: Recorder, rows_of: RowsOf) -> None:
    """What is committed while rows are read comes with the next look."""
    rows = rows_of(path)
    fresh = rows.fresh()
    first = next(fresh)
    recorder.record([started("a")])
    assert len([first, *fresh]) == 9
    assert len(list(rows.fresh())) == 1
    recorder.close()


def test_connection_that_fails(path: Path, recorder: Recorder, rows_of: RowsOf) -> None:
    """An error of SQLite ends what can be read, as damage."""
    recorder.close()
    rows = rows_of(path)
    harm(path, "DROP TABLE logs")
    assert shape(rows) == ["1", "2", "3", "4", "5"]
    assert rows.lost_lines == 1
    harm(path, "DROP TABLE records")
    rows = rows_of(path)
    assert shape(rows) == []
    assert "no such table" in rows.damage


MANY: Callable[[int], list[str]] = lambda count: [f"p{number}" for number in range(count)]  # noqa: E731


def test_long_declaration(path: Path, rows_of: RowsOf) -> None:
    """A declaration of several records is given as it was written."""
    begin(path, pipeline_of(*MANY(1200))).close()
    assert shape(rows_of(path)) == ["1", "2", "3", "4"]
