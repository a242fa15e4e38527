"""Word that a run cannot be resumed stays beside the journal until it is taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from milo.journal.notes import drop_note, leave_note, note_of


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    (tmp_path / "runs.db.locks").mkdir()
    return tmp_path / "runs.db"


def test_note(journal: Path) -> None:
    """It is there for those who come later, for this run alone."""
    leave_note(journal, "r", "The disk was full.")
    assert note_of(journal, "r") == "The disk was full."
    assert note_of(journal, "r2") == ""
    drop_note(journal, "r")
    drop_note(journal, "r")
    assert note_of(journal, "r") == ""


def test_full_disk(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, that the file is there says enough."""

    def refuse(*arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", refuse)
    leave_note(journal, "r", "The disk was full.")
    assert note_of(journal, "r") == "its journal failed"


def test_nowhere(tmp_path: Path) -> None:
    """Where not even a file can be made nothing is said, and nothing fails."""
    leave_note(tmp_path / "nowhere" / "runs.db", "r", "x")
    assert note_of(tmp_path / "nowhere" / "runs.db", "r") == ""
