"""A damaged journal is made whole from what can be trusted, and nothing is thrown away."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milo.journal import faults
from milo.journal.database import open_writer
from milo.journal.errors import DamagedError, JournalError
from milo.journal.history import history
from milo.journal.journal import Journal
from milo.journal.location import default_path
from milo.journal.recovery import finish_recovery, recover
from tests.journal.world import begin, complete, completed, pipeline_of, printed, replayed, start, started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = default_path(tmp_path)
    for name in ("r1", "r2", "r3"):
        recorder = begin(path, pipeline_of("a", "b"), name)
        recorder.record([start(), started("a"), printed("a", "x"), completed("a", "y" * 1000)])
        recorder.record([started("b"), printed("b", "z"), completed("b"), complete()])
        recorder.close()
    return path


def harm(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def unsound(path: Path) -> None:
    """Damage that opening the journal notices."""
    harm(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'REAL', 'TEXT') WHERE name = 'runs'",
    )


def test_what_can_be_trusted_is_kept(path: Path) -> None:
    """Runs are kept whole or up to where they are damaged, with lines and results; the damaged file stays beside."""
    harm(
        path,
        "UPDATE records SET data = x'15' WHERE place = (2 << 40) + 6",
        "UPDATE runs SET target = 'x' WHERE name = 'r3'",
    )
    unsound(path)
    before = path.read_bytes()
    messages: list[str] = []
    Journal(path, on_message=messages.append).close()
    (message,) = messages
    assert "1 runs were kept, and 1 up to where the damage begins" in message
    aside = path.with_name("runs.db.damaged-1")
    assert str(aside) in message
    assert aside.read_bytes() == before
    assert {info.row.name: info.status for info in history(path)} == {"r1": "completed", "r2": "interrupted"}
    whole, rows = replayed(path, "r1")
    assert whole.state.status == "completed"
    assert rows.line == 2
    assert (replayed(path, "r2")[0].actions, replayed(path, "r2")[1].damage) == (4, "")
    with closing(Journal(path)) as journal:
        taken = journal.take("r2")
        assert taken.plan(taken.recorded.phases)[1] == {"a": "y" * 1000}
        taken.release()


def test_numbers_go_on(path: Path) -> None:
    """Runs keep their numbers, and the next one gets a new one."""
    unsound(path)
    begin(path, pipeline_of("a"), "r4").close()
    assert [info.row.number for info in history(path)] == [4, 3, 2, 1]


@pytest.mark.parametrize("rubbish", [b"\0" * 10_000, b"short", os.urandom(5000)])
def test_nothing_can_be_read(path: Path, rubbish: bytes) -> None:
    """Where nothing can be read, the default journal is set aside and made anew."""
    path.write_bytes(rubbish)
    messages: list[str] = []
    begin(path, pipeline_of("a"), "r4", journal=Journal(path, on_message=messages.append)).close()
    assert "0 runs were kept" in messages[0]
    assert path.with_name("runs.db.damaged-1").read_bytes() == rubbish
    assert [info.row.name for info in history(path)] == ["r4"]


def test_another_file_is_not_moved(path: Path) -> None:
    """A file that was asked for and is no journal is refused and stays as it is."""
    other = path.parent / "notes.txt"
    other.write_text("milk " * 2000)
    with pytest.raises(JournalError, match="Nothing in it can be read as a journal"):
        Journal(other)
    assert other.read_text() == "milk " * 2000


def test_twice(path: Path) -> None:
    """Files that are set aside get names of their own."""
    for number in (1, 2):
        unsound(path)
        Journal(path).close()
        assert path.with_name(f"runs.db.damaged-{number}").exists()
    assert len(history(path)) == 3


def test_while_a_run_is_recorded(path: Path) -> None:
    """While somebody records in it a damaged journal is left alone, and it is said who that is."""
    recorder = begin(path, pipeline_of("a"), "busy")
    with pytest.raises(DamagedError, match=r"while a run is recorded in it \(busy\)"):
        recover(path, DamagedError("Damaged."))
    recorder.close()


class DeathError(Exception):
    """What a hook raises in the place of a death."""


@pytest.mark.parametrize("point", ["copy recovered", "damaged set aside"])
def test_death_in_the_middle(path: Path, point: str) -> None:
    """Whoever opens the journal after a death in the middle of the recovery finds it whole."""
    unsound(path)

    def die(reached: str) -> None:
        if reached == point:
            raise DeathError

    faults.set_hook(die)
    try:
        with pytest.raises(DeathError):
            Journal(path)
    finally:
        faults.set_hook(None)
    Journal(path).close()
    assert [info.row.name for info in history(path)] == ["r3", "r2", "r1"]
    assert not list(path.parent.glob("*.recovered"))
    assert finish_recovery(path) is None


def test_leftovers_of_sqlite_are_set_aside_too(path: Path) -> None:
    """The write-ahead log of the damaged file is never taken for the new one's."""
    recorder = begin(path, pipeline_of("a"), "r4")
    recorder.record([start()])
    log = path.with_name("runs.db-wal").read_bytes()
    recorder.close()
    unsound(path)
    path.with_name("runs.db-wal").write_bytes(log)
    Journal(path).close()
    assert len(history(path)) == 4
    assert path.with_name("runs.db.damaged-1-wal").exists() or not path.with_name("runs.db-wal").exists()


def test_no_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that fails leaves the damaged journal as it was."""
    unsound(path)
    before = path.read_bytes()

    def refuse(*arguments: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(JournalError, match="the disk is full"):
        Journal(path)
    assert path.read_bytes() == before


def test_recovered_journal_is_a_sound_one(path: Path, tmp_path: Path) -> None:
    """What recovery makes can be opened as it is, alone."""
    unsound(path)
    Journal(path).close()
    shutil.copy(path, tmp_path / "alone.db")
    open_writer(tmp_path / "alone.db").close()
