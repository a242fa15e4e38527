"""The complete output of each phase stands in a plain file of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from milo.journal.errors import JournalError
from milo.journal.output_files import OutputFiles, output_path


def test_write(tmp_path: Path) -> None:
    """Lines are added as they come, without colours, one a line, from several openings of the run too."""
    journal = tmp_path / "runs.db"
    for word in ("one", "two"):
        files = OutputFiles(journal, "r", ["a/b"])
        files.write("a/b", [f"\x1b[1;31m{word}\x1b[0m", "", "é\ttab"])
        files.close()
    path = output_path(journal, "r", ["a/b"], "a/b")
    assert path == tmp_path / "logs" / "r" / "a%2Fb.log"
    assert path.read_text("utf-8") == "one\n\né\ttab\ntwo\n\né\ttab\n"


def test_nothing_printed(tmp_path: Path) -> None:
    """A run without output leaves no files behind."""
    files = OutputFiles(tmp_path / "runs.db", "r", ["a"])
    assert files.path("a").name == "a.log"
    files.close()
    assert list(tmp_path.iterdir()) == []


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    """Phases whose names some file systems take for the same have files of their own."""
    names = ["Build", "build", "BUILD", "build~2"]
    found = [output_path(tmp_path / "x", "r", names, name).name for name in names]
    assert len({name.casefold() for name in found}) == 4
    assert found[:3] == ["Build.log", "build~2.log", "BUILD~3.log"]


def test_long_names(tmp_path: Path) -> None:
    """Names too long for a file that begin alike have files of their own."""
    names = ["x" * 300, "x" * 300 + "y"]
    assert len({output_path(tmp_path / "x", "r", names, name) for name in names}) == 2


def test_many_phases(tmp_path: Path) -> None:
    """Hundreds of phases that print in turns need only a few open files."""
    names = [f"p{number}" for number in range(200)]
    files = OutputFiles(tmp_path / "runs.db", "r", names)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for turn in range(2):
        for name in names:
            files.write(name, [str(turn)])
    if before:
        assert len(os.listdir("/proc/self/fd")) - before <= 40
    files.close()
    assert all(files.path(name).read_text() == "0\n1\n" for name in names)


def test_full_disk() -> None:
    """A line that cannot be written is an error that names the file."""
    files = OutputFiles(Path("/nowhere/runs.db"), "r", ["a"])
    with pytest.raises(JournalError, match=r"/nowhere/logs"):
        files.write("a", ["x"])


def test_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system writes in parts only is written in full; what it refuses is an error."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    files = OutputFiles(tmp_path / "runs.db", "r", ["a"])
    files.write("a", ["0123456789"])
    assert files.path("a").read_text() == "0123456789\n"

    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(JournalError, match="the disk is full"):
        files.write("a", ["x"])
    files.close()
