"""Which journal is read, and how what it says is shown."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from milo.cli.reading import journal_file, say, when


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MILO_JOURNAL", "MILO_NO_COLOR", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_journal_that_runs_are_recorded_in_is_the_one_to_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal_file(None) == folder / ".milo" / "runs.db"
    monkeypatch.setenv("MILO_JOURNAL", "mine.db")
    assert (journal_file(None), journal_file("other.db")) == (Path("mine.db"), Path("other.db"))


def test_a_journal_that_is_turned_off_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILO_JOURNAL", "off")
    with pytest.raises(click.UsageError, match="turned off"):
        journal_file(None)


def test_colour_is_for_terminals_and_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say(lambda paint: paint("text", "red"), None)
    say(lambda paint: paint("text", "red"), True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    say(lambda paint: paint("text", "red"), False)
    monkeypatch.setenv("MILO_NO_COLOR", "1")
    say(lambda paint: paint("text", "red"), None)
    assert capsys.readouterr().out == "text\x1b[31mtext\x1b[0mtexttext"


def test_a_moment_that_no_calendar_knows_is_no_error() -> None:
    assert when(0.0)[:2] in ("19", "20")
    assert [when(float("nan")), when(1e300)] == ["?", "?"]
