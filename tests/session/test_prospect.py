"""What resuming a run would do, told while nothing is taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

import milo
from milo import Phase, Pipeline
from milo.journal import JournalError
from milo.session.prospect import prospect
from milo.session.recording import JournalOptions, resume


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def broken(a: int) -> None:
    raise ValueError("no")


PIPELINE = Pipeline("p", Phase("a", lambda: 1), Phase("b", broken, depends_on=("a",)))


def test_it_tells_the_run_and_the_plan_and_leaves_the_run_free(journal: Path) -> None:
    run = milo.run(PIPELINE, journal=journal).run_id
    found = prospect(PIPELINE, journal, run[:12])
    assert (found.run, found.status, found.hindrance, found.damage) == (run, "failed", "", "")
    assert [decision.runs for decision in found.plan.decisions] == [False, True]
    resume(PIPELINE, JournalOptions(journal)).close()


def test_who_is_at_work_on_it_is_a_hindrance(journal: Path) -> None:
    run = milo.run(PIPELINE, journal=journal).run_id
    held = resume(PIPELINE, JournalOptions(journal))
    try:
        assert prospect(PIPELINE, journal, run).hindrance.endswith("is at work on it")
    finally:
        held.close()


def test_another_pipeline_is_a_hindrance(journal: Path) -> None:
    run = milo.run(PIPELINE, journal=journal).run_id
    found = prospect(Pipeline("q", *PIPELINE.phases), journal, run)
    assert found.hindrance == "it is one of the pipeline 'p', not of 'q'"


def test_a_run_that_is_not_there_is_an_error(journal: Path) -> None:
    milo.run(PIPELINE, journal=journal)
    with pytest.raises(JournalError, match="has no run 'zzz'"):
        prospect(PIPELINE, journal, "zzz")


def test_a_pickled_result_is_kept_only_for_those_who_accept_it(journal: Path) -> None:
    pipeline = Pipeline("p", Phase("a", lambda: 1 + 2j), Phase("b", broken, depends_on=("a",)))
    run = milo.run(pipeline, journal=journal, serializer="pickle").run_id
    assert prospect(pipeline, journal, run).plan.kept == []
    assert prospect(pipeline, journal, run, serializer="pickle").plan.kept == ["a"]
