"""testing.run: a whole pipeline in virtual time, with fakes in place of handlers."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import milo.testing
from milo import Phase, PhasePolicy, Pipeline
from milo.errors import PipelineError
from milo.pipeline import PIPELINE_COMPLETE, PIPELINE_START


def never() -> None:
    raise AssertionError("the real handler ran")


def pipeline(**flags: bool) -> Pipeline:
    return Pipeline(
        "p",
        Phase("fetch", never, parallel=True),
        Phase("build", never, depends_on=("fetch",), weight=3, description="d", max_logs=7),
        Phase("deploy", never, depends_on=("build",), policy=PhasePolicy("retry", 2, 30.0)),
        **flags,
    )


def test_fakes_are_callables_errors_or_values() -> None:
    result = milo.testing.run(
        pipeline(), fakes={"fetch": ["a"], "build": lambda fetch: [*fetch, "b"], "deploy": OSError("no")}
    )
    assert result.results == {"fetch": ["a"], "build": ["a", "b"]}
    assert (result.ok, result.state.status) == (False, "failed")
    assert result.state.phase("deploy").error == "no"
    assert result.started == ["fetch", "build", "deploy", "deploy", "deploy"]


def test_a_fake_none_is_a_value() -> None:
    result = milo.testing.run(pipeline(), fakes={"fetch": None, "build": None, "deploy": None})
    assert result.ok
    assert result.results == {"fetch": None, "build": None, "deploy": None}


def test_delays_and_durations_are_virtual_seconds() -> None:
    result = milo.testing.run(
        pipeline(),
        fakes={"fetch": 1, "build": 1, "deploy": OSError("no")},
        durations={"fetch": 3600, "build": 60},
    )
    assert result.state.phase("fetch").elapsed == 3600.0
    assert result.state.phase("deploy").started_at == 3660.0
    assert result.state.elapsed == 3660.0 + 2 * 30.0


def test_actions_holds_every_action_in_order() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", lambda: 1)))
    kinds = [action.type for action in result.actions]
    assert kinds == [PIPELINE_START, "@@PHASE_START", "@@PHASE_COMPLETE", PIPELINE_COMPLETE]


@pytest.mark.parametrize("arguments", [{"fakes": {"buil": 1}}, {"durations": {"buil": 1.0}}])
def test_an_unknown_name_is_refused_with_the_nearest(arguments: Any) -> None:
    with pytest.raises(PipelineError, match=r"'buil' does not exist.*Did you mean 'build'"):
        milo.testing.run(pipeline(), **arguments)


def test_a_fake_follows_the_rules_for_parameters() -> None:
    with pytest.raises(PipelineError, match="'other' that nothing fills"):
        milo.testing.run(pipeline(), fakes={"build": lambda other: other})


def test_a_fake_keeps_everything_else_of_its_phase() -> None:
    seen: list[int] = []
    result = milo.testing.run(
        Pipeline("p", Phase("a", never, weight=3), Phase("b", never, depends_on=("a",))),
        fakes={"a": lambda: seen.append(1), "b": ValueError("x")},
    )
    assert result.state.progress == 0.75


def test_only_and_keep_going_work_as_in_a_real_run() -> None:
    made = Pipeline("p", Phase("a", never), Phase("b", lambda: 1), Phase("c", lambda: 2))
    assert milo.testing.run(made, only=("b",)).results == {"b": 1}
    assert milo.testing.run(made, keep_going=True).results == {"b": 1, "c": 2}


def test_max_workers_limits_what_runs_at_once() -> None:
    made = Pipeline("p", *[Phase(f"n{number}", lambda: 1, parallel=True) for number in range(6)])
    seconds = {f"n{number}": 1.0 for number in range(6)}
    for workers, elapsed in [(1, 6.0), (2, 3.0), (6, 1.0)]:
        assert milo.testing.run(made, durations=seconds, max_workers=workers).state.elapsed == elapsed


def test_output_is_captured_where_the_pipeline_says_so() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", lambda: print("hi")), capture_output=True))
    assert [log.line for log in result.state.phase("a").logs] == ["hi"]


def test_plain_handlers_run_on_the_thread_that_calls() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", threading.get_ident)))
    assert result.results["a"] == threading.get_ident()


def test_async_handlers_work_also_inside_a_running_loop() -> None:
    async def handler() -> int:
        await asyncio.sleep(0)
        return 5

    async def main() -> milo.testing.TestRun:
        return milo.testing.run(Pipeline("p", Phase("a", handler)))

    assert asyncio.run(main()).results == {"a": 5}


def test_keyboard_interrupt_of_a_handler_ends_the_run_cancelled() -> None:
    result = milo.testing.run(Pipeline("p", Phase("a", never)), fakes={"a": KeyboardInterrupt()})
    assert result.state.status == "cancelled"


def test_a_fake_keeps_the_limit_of_the_phase_whose_handler_it_replaces() -> None:
    """Virtual seconds count towards it."""
    pipeline = Pipeline("p", Phase("slow", lambda: 1, timeout=60.0))
    result = milo.testing.run(pipeline, fakes={"slow": 2}, durations={"slow": 61.0})
    assert result.state.phase("slow").error == "timed out after 60 s"
    assert result.state.elapsed == 60.0
