"""The kinds of records are numbers in files: they may be added to, and never changed."""

from __future__ import annotations

from milo.journal import entries
from milo.journal.entries import Kept
from milo.journal.schema import MARKS


def test_kinds_stay_what_they_are() -> None:
    """Every kind keeps its number for as long as the schema has its."""
    assert {
        name: value for name, value in vars(entries).items() if name.isupper() and isinstance(value, int)
    } == {
        "HEAD": 1,
        "PHASES": 2,
        "STATE": 3,
        "BROKEN": 4,
        "LOG_LINE": 5,
        "FIRST_ACTION": 16,
        "OTHER": 16,
        "PIPELINE_START": 17,
        "PIPELINE_COMPLETE": 18,
        "PIPELINE_CANCELLED": 19,
        "PIPELINE_END": 20,
        "PHASE_START": 21,
        "PHASE_COMPLETE": 22,
        "PHASE_FAILED": 23,
        "PHASE_SKIPPED": 24,
        "PHASE_CANCELLED": 25,
        "PHASE_RETRY": 26,
        "PHASE_COMPLETE_MORE": 27,
        "HERE": 0,
        "APART": 1,
        "NOT": 2,
    }


def test_marks_are_all_kinds_about_the_run() -> None:
    """The index of marks covers what is about the run and nothing about a phase."""
    assert f"x'{entries.PHASE_START:02x}'" in MARKS
    assert max(entries.RUN_KINDS.values()) < entries.PHASE_START


def test_reason_of_any_text() -> None:
    """A reason that is no valid text is no obstacle."""
    how, data = Kept(reason="\ud800").as_bytes
    assert Kept.of_bytes(how, data).reason == "\\ud800"
