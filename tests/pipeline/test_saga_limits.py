"""The generated saga at its limits: timeouts, which failures are retried, and how long until then."""

from __future__ import annotations

import pytest

import milo.testing
from milo import Delay, Phase, PhasePolicy, Pipeline

from .helpers import fails, retry, times, told

# Limits


def test_an_attempt_fails_at_its_limit_with_a_clear_error() -> None:
    result = milo.testing.run(Pipeline("p", Phase("slow", lambda: 1, timeout=3)), durations={"slow": 30})
    assert result.state.phase("slow").error == "timed out after 3 s"
    assert (result.state.status, result.state.elapsed) == ("failed", 3.0)
    assert result.results == {}


def test_a_phase_that_ends_within_its_limit_is_not_touched_by_it() -> None:
    result = milo.testing.run(
        Pipeline("p", Phase("a", lambda: 1, timeout=3), Phase("b", lambda: 2)), durations={"a": 2.9, "b": 30}
    )
    assert (result.ok, result.results) == (True, {"a": 1, "b": 2})


def test_each_attempt_has_the_whole_limit() -> None:
    phase = Phase("slow", lambda: 1, timeout=3, policy=retry(2, 10.0))
    result = milo.testing.run(Pipeline("p", phase), durations={"slow": 30})
    assert times(result) == [
        ("START", "slow", 0.0),
        ("RETRY", "slow", 3.0),
        ("START", "slow", 13.0),
        ("RETRY", "slow", 16.0),
        ("START", "slow", 26.0),
        ("FAILED", "slow", 29.0),
    ]


def test_a_phase_whose_time_is_up_can_be_skipped() -> None:
    pipeline = Pipeline(
        "p",
        Phase("slow", lambda: 1, timeout=3, policy=PhasePolicy("skip")),
        Phase("next", lambda slow: slow, depends_on=("slow",)),
    )
    result = milo.testing.run(pipeline, durations={"slow": 30})
    assert result.ok
    assert result.state.phase("slow").status == "skipped"
    assert result.state.phase("slow").error == "timed out after 3 s"
    assert result.results == {"next": None}


@pytest.mark.parametrize(
    ("retry_on", "attempts"), [((TimeoutError,), 3), ((OSError,), 3), ((ValueError,), 1)]
)
def test_a_limit_is_a_timeout_error_to_the_policy(
    retry_on: tuple[type[Exception], ...], attempts: int
) -> None:
    policy = PhasePolicy("retry", 2, 0.0, retry_on=retry_on)
    result = milo.testing.run(
        Pipeline("p", Phase("slow", lambda: 1, timeout=3, policy=policy)), durations={"slow": 30}
    )
    assert result.started == ["slow"] * attempts
    assert result.state.status == "failed"


def test_an_exclusive_phase_whose_time_is_up_lets_the_next_start_at_once() -> None:
    pipeline = Pipeline(
        "p",
        Phase("slow", lambda: 1, timeout=3, weight=5, policy=PhasePolicy("skip")),
        Phase("other", lambda: 2),
    )
    result = milo.testing.run(pipeline, durations={"slow": 30, "other": 1}, max_workers=1)
    assert times(result)[2:] == [("START", "other", 3.0), ("COMPLETE", "other", 4.0)]


def test_a_parallel_phase_whose_time_is_up_gives_its_place_to_the_next() -> None:
    phases = [Phase(f"slow{n}", lambda: 1, parallel=True, weight=5, timeout=3) for n in range(2)]
    pipeline = Pipeline("p", *phases, Phase("other", lambda: 2, parallel=True))
    seconds = {"slow0": 30, "slow1": 30, "other": 1}
    result = milo.testing.run(pipeline, durations=seconds, max_workers=2, keep_going=True)
    assert ("COMPLETE", "other", 4.0) in times(result)
    assert result.state.elapsed == 4.0


def test_with_fail_fast_a_limit_cancels_what_runs_beside_it() -> None:
    pipeline = Pipeline(
        "p",
        Phase("slow", lambda: 1, parallel=True, timeout=3),
        Phase("long", lambda: 1, parallel=True),
        fail_fast=True,
    )
    result = milo.testing.run(pipeline, durations={"slow": 30, "long": 60})
    assert [phase.status for phase in result.state.phases] == ["failed", "cancelled"]
    assert (result.state.status, result.state.elapsed) == ("failed", 3.0)


# Policies of retries


def test_only_the_named_errors_are_retried() -> None:
    policy = PhasePolicy("retry", 5, 0.0, retry_on=(OSError,))
    refused = milo.testing.run(Pipeline("p", Phase("a", fails(9), policy=policy)))
    assert (refused.started, refused.state.phase("a").error) == (["a"], "try 1")

    errors = iter([ConnectionError("reset"), OSError("gone"), ValueError("no"), OSError("never raised")])

    def work() -> None:
        raise next(errors)

    result = milo.testing.run(Pipeline("p", Phase("a", work, policy=policy)))
    assert (result.started, result.state.phase("a").error) == (["a"] * 3, "no")


def test_when_retries_run_out_then_skip_goes_on_without_the_phase() -> None:
    policy = PhasePolicy("retry", 2, 1.0, then="skip")
    pipeline = Pipeline("p", Phase("a", fails(9), policy=policy), Phase("b", lambda a: a, depends_on=("a",)))
    result = milo.testing.run(pipeline)
    assert result.ok
    assert told(result)[-3:] == [("SKIPPED", "a"), ("START", "b"), ("COMPLETE", "b")]
    assert result.started == ["a", "a", "a", "b"]
    assert (result.state.phase("a").error, result.results) == ("try 3", {"b": None})


def test_then_skip_is_for_retries_that_ran_out_and_not_for_errors_that_are_not_retried() -> None:
    policy = PhasePolicy("retry", 2, 1.0, retry_on=(OSError,), then="skip")
    result = milo.testing.run(Pipeline("p", Phase("a", fails(9), policy=policy)))
    assert (result.state.status, result.started) == ("failed", ["a"])


def test_then_skip_says_nothing_about_a_policy_that_does_not_retry() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", fails(1), policy=PhasePolicy(then="skip"))))
    assert result.state.status == "failed"


def test_the_jitter_of_a_retry_is_that_of_its_run_phase_and_attempt() -> None:
    phases = [
        Phase(name, fails(3), policy=PhasePolicy("retry", 3, 10.0, retry_jitter=0.5)) for name in ("a", "b")
    ]

    def delays(run_id: str) -> list[float]:
        for phase in phases:
            phase.handler.__closure__[0].cell_contents[0] = 0  # type: ignore[attr-defined]
        effects = milo.testing.step(Pipeline("p", *phases).build_saga(run_id=run_id))
        return [effect.seconds for effect in effects if isinstance(effect, Delay)]

    first = delays("one")
    assert len(set(first)) == 6
    assert all(5.0 <= delay <= 15.0 for delay in first)
    assert delays("one") == first
    assert delays("two") != first
