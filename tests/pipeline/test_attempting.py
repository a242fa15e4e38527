"""An attempt of a phase: what it yields, what becomes of its result, and what its policy makes of an error."""

from __future__ import annotations

import pytest

import milo.testing
from milo import Phase, PhasePolicy, Pipeline
from milo.pipeline import (
    PHASE_COMPLETE,
    PHASE_RETRY,
)
from milo.pipeline.attempting import describe

from .helpers import fails, retry


def test_the_retry_action_says_which_attempt_failed_and_why() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", fails(2), policy=retry(3, 0.5, "exponential"))))
    retries = [each.payload for each in result.actions if each.type == PHASE_RETRY]
    assert retries == [
        {"name": "a", "attempt": 1, "error": "try 1", "max_retries": 3, "delay": 0.5, "at": 0.0},
        {"name": "a", "attempt": 2, "error": "try 2", "max_retries": 3, "delay": 1.0, "at": 0.5},
    ]
    assert result.results == {"a": 3}


def test_exhausted_retries_fail_the_pipeline() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", fails(9), policy=retry(2)), Phase("b", lambda: 1)))
    assert (result.state.status, result.started) == ("failed", ["a", "a", "a"])
    assert (result.state.phase("a").error, result.state.phase("a").attempt) == ("try 3", 3)


@pytest.mark.filterwarnings("ignore:PhasePolicy")
def test_retry_without_retries_fails_at_once() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", fails(1), policy=PhasePolicy("retry"))))
    assert (result.state.status, result.started) == ("failed", ["a"])


def test_a_skipped_dependency_gives_none_after_a_result_of_an_earlier_one() -> None:
    pipeline = Pipeline(
        "p",
        Phase("a", fails(1), policy=PhasePolicy("skip")),
        Phase("b", lambda a, context: (a, dict(context)), depends_on=("a",)),
    )
    assert milo.testing.run(pipeline).results == {"b": (None, {"a": None})}


def test_errors_are_described_for_people() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(ValueError("no")) == "no"
    assert describe(ValueError()) == "ValueError"
    assert describe(KeyError("x")) == "KeyError: 'x'"
    assert describe(SystemExit(2)) == "SystemExit: 2"
    assert describe(MuteError()) == "MuteError"
    assert "\x1b" not in describe(ValueError("a\x1b[2Jb"))
    group = ExceptionGroup("many", [ValueError("a\x1b[2Jb"), KeyError("x")])
    described = describe(group)
    assert described.startswith("many (2 sub-exceptions): ValueError: a")
    assert described.endswith("; KeyError: 'x'")
    assert "\x1b" not in described


def test_results_are_kept_by_name_and_none_is_a_result() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", lambda: None), Phase("b", lambda: 0)))
    assert result.results == {"a": None, "b": 0}
    completes = [each.payload for each in result.actions if each.type == PHASE_COMPLETE]
    assert [each["result"] for each in completes] == [None, 0]
