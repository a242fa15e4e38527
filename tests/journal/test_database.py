"""Connections that write make a journal; those that read disturb nobody and refuse in words what is none."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from milo.journal import database, schema
from milo.journal.database import open_reader, open_writer
from milo.journal.errors import DamagedError, EmptyError, JournalError


def test_writer_makes_a_journal(tmp_path: Path) -> None:
    """A file that is not there, or is empty, becomes a journal in WAL."""
    for name in ("new.db", "empty.db"):
        path = tmp_path / name
        if name == "empty.db":
            path.touch()
        connection = open_writer(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        connection.close()
        open_reader(path).close()


def test_power(tmp_path: Path) -> None:
    """Durability "power" syncs at every commit."""
    connection = open_writer(tmp_path / "x.db", "power")
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_strangers_file_is_not_changed(tmp_path: Path) -> None:
    """Neither a text nor another program's database is touched."""
    text, short, other = tmp_path / "notes.txt", tmp_path / "short.txt", tmp_path / "other.db"
    text.write_text("remember the milk\n" * 50)
    short.write_text("milk")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE users (x)")
    connection.close()
    for path in (text, short, other):
        before = path.read_bytes()
        for opened in (open_writer, open_reader):
            with pytest.raises(JournalError):
                opened(path)
        assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["notes.txt", "other.db", "short.txt"]


def test_newer_schema_is_not_changed(tmp_path: Path) -> None:
    """A journal of a newer milo is refused by both kinds of connection, and is as it was."""
    path = tmp_path / "x.db"
    connection = open_writer(path)
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA + 1}")
    connection.close()
    before = path.read_bytes()
    for opened in (open_writer, open_reader):
        with pytest.raises(JournalError, match="newer milo"):
            opened(path)
    assert path.read_bytes() == before


def test_no_journal(tmp_path: Path) -> None:
    """A reader makes nothing: no journal is an error, and so is one that has nothing in it."""
    with pytest.raises(EmptyError, match="There is no journal"):
        open_reader(tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.db").touch()
    with pytest.raises(EmptyError, match="has no runs yet"):
        open_reader(tmp_path / "x.db")


def test_reader_cannot_write(tmp_path: Path) -> None:
    """A connection for reading writes nothing."""
    open_writer(tmp_path / "x.db").close()
    connection = open_reader(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM runs")
    connection.close()


def test_reader_sees_what_is_committed(tmp_path: Path) -> None:
    """While one writes, the other reads what has been committed, and waits for nothing."""
    writer = open_writer(tmp_path / "x.db")
    reader = open_reader(tmp_path / "x.db")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO logs VALUES (1, x'00', x'00')")
    assert reader.execute("SELECT count(*) FROM logs").fetchone() == (0,)
    writer.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM logs").fetchone() == (1,)
    reader.close()
    writer.close()


@pytest.mark.parametrize("name", ["a b#c?d%41.db", "é.db", "x' OR 1.db"])
def test_any_name(tmp_path: Path, name: str) -> None:
    """A path with characters that mean something in a URI is the path that it is."""
    open_writer(tmp_path / name).close()
    open_reader(tmp_path / name).close()
    assert {each.name.removesuffix("-wal").removesuffix("-shm") for each in tmp_path.iterdir()} == {name}


def test_name_that_is_no_text(tmp_path: Path) -> None:
    """A path that is not valid UTF-8 works."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.db"))
    open_writer(path).close()
    open_reader(path).close()


def test_read_only_folder(tmp_path: Path) -> None:
    """What nobody writes to can be read in a folder where nothing can be made."""
    path = tmp_path / "x.db"
    open_writer(path).close()
    program = """if True:
        import os, sys
        from pathlib import Path
        from milo.journal.database import open_reader, open_writer
        from milo.journal.errors import JournalError
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        print(open_reader(Path(sys.argv[1])).execute("SELECT count(*) FROM runs").fetchone())
        try:
            open_writer(Path(sys.argv[1]))
        except JournalError as error:
            print(error.message)
    """
    if os.getuid() != 0:
        pytest.skip("needs to become another user")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.splitlines()[0] == "(0,)"
    assert "read-only" in done.stdout.splitlines()[1]


def test_damaged_page(tmp_path: Path) -> None:
    """A writer does not go on writing to a file whose pages are mixed up."""
    path = tmp_path / "x.db"
    connection = open_writer(path)
    connection.executemany("INSERT INTO logs VALUES (?, x'00', x'00')", [(number,) for number in range(5000)])
    connection.close()
    data = bytearray(path.read_bytes())
    data[-4096 * 3 : -4096 * 2] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        open_writer(path)
    assert "\n" not in caught.value.message


def test_locked_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that keeps the file for itself is named as the reason."""
    path = tmp_path / "x.db"
    open_writer(path).close()
    monkeypatch.setattr(database, "_BUSY_S", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        for opened in (open_writer, open_reader):
            with pytest.raises(JournalError, match="another program keeps it locked"):
                opened(path)
    finally:
        other.close()
