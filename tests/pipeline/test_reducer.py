"""The generated reducer: pure, forgiving about payloads, and right about progress and time."""

from __future__ import annotations

import math
import types
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milo import Action, Phase, Pipeline, PipelineState
from milo.pipeline import PhaseStatus
from milo.pipeline import actions as types_of

INIT = Action("@@INIT")


def reducer_of(**weights: float) -> Any:
    phases = [
        Phase(name, lambda: None, weight=weight) for name, weight in (weights or {"a": 1, "b": 1}).items()
    ]
    return Pipeline("p", *phases).build_reducer()


def states(*actions: Action, reducer: Any = None) -> list[PipelineState]:
    reducer = reducer or reducer_of()
    made = [reducer(None, INIT)]
    for action in actions:
        made.append(reducer(made[-1], action))
    return made


def last(*actions: Action, reducer: Any = None) -> PipelineState:
    return states(*actions, reducer=reducer)[-1]


def on(kind: str, **payload: Any) -> Action:
    return Action(f"@@{kind}", payload)


START = Action("@@PIPELINE_START", {"at": 10.0, "time": 1.7e9, "run_id": "r"})


def test_the_first_state_knows_the_pipeline_and_its_phases() -> None:
    state = states()[0]
    assert (state.name, state.status, state.progress) == ("p", "pending", 0.0)
    assert [(phase.name, phase.status) for phase in state.phases] == [("a", "pending"), ("b", "pending")]


def test_an_action_may_come_before_init() -> None:
    assert reducer_of()(None, START).status == "running"
    assert reducer_of()(None, Action("something else")).status == "pending"


@pytest.mark.parametrize(
    "action",
    [
        Action("user/clicked"),
        Action("@@TICK"),
        Action("@@SAGA_ERROR", {"error": "x"}),
        Action("@@INIT"),
        Action("@@PHASE_START", {"name": "stranger"}),
        Action("@@PHASE_COMPLETE", {"name": ["unhashable"]}),
        Action("@@PHASE_COMPLETE", ["unhashable"]),
        Action("@@PHASE_FAILED", None),
        Action("@@PHASE_LOG", {"name": "a"}),
        Action("@@PHASE_LOG", "a"),
        Action("@@PHASE_RETRY", {}),
    ],
)
def test_what_it_does_not_know_returns_the_very_same_state_object(action: Action) -> None:
    reducer = reducer_of()
    state = last(START, reducer=reducer)
    assert reducer(state, action) is state


def test_a_whole_run() -> None:
    state = last(
        START,
        on("PHASE_START", name="a", attempt=1, at=11.0),
        on("PHASE_LOG", name="a", line="hello", stream="stderr", timestamp=11.5),
        on("PHASE_COMPLETE", name="a", result=1, at=13.0),
        on("PHASE_START", name="b", attempt=1, at=13.0),
        on("PHASE_COMPLETE", name="b", result=1, at=14.0),
        on("PIPELINE_COMPLETE", at=15.0),
    )
    assert (state.status, state.progress, state.current_phase) == ("completed", 1.0, "")
    assert (state.started_at, state.elapsed) == (10.0, 5.0)
    a = state.phase("a")
    assert (a.status, a.started_at, a.elapsed) == ("completed", 11.0, 2.0)
    assert [(log.line, log.stream, log.timestamp) for log in a.logs] == [("hello", "stderr", 11.5)]


def test_a_bare_name_starts_a_phase_and_a_bare_number_the_pipeline() -> None:
    state = last(Action("@@PIPELINE_START", 7), Action("@@PHASE_START", "b"))
    assert (state.status, state.started_at, state.current_phase) == ("running", 7.0, "b")
    assert (state.phase("b").status, state.phase("b").attempt) == ("running", 1)


def test_a_bare_number_ends_the_pipeline_at_that_time() -> None:
    assert last(START, Action("@@PIPELINE_COMPLETE", 12.0)).elapsed == 2.0


def test_any_mapping_is_a_payload() -> None:
    payload = types.MappingProxyType({"name": "a", "at": 12.0})
    assert last(START, Action("@@PHASE_START", payload)).phase("a").started_at == 12.0


def test_without_a_time_it_uses_the_last_it_knows() -> None:
    state = last(START, on("PHASE_START", name="a", at=12.0), on("PHASE_COMPLETE", name="a"))
    assert (state.phase("a").elapsed, state.elapsed) == (0.0, 2.0)
    state = last(
        START, on("PHASE_START", name="a", at=12.0), on("PHASE_FAILED", name="a", error="x", at=None)
    )
    assert state.elapsed == 2.0


def test_a_time_that_runs_backwards_never_gives_a_negative_elapsed() -> None:
    made = states(
        START,
        on("PHASE_START", name="a", at=12.0),
        on("PHASE_COMPLETE", name="a", at=3.0),
        on("PIPELINE_COMPLETE", at=1.0),
    )
    assert all(state.elapsed >= 0.0 for state in made)
    assert made[-1].phase("a").elapsed == 0.0
    assert [state.elapsed for state in made[1:]] == [0.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("kind", ["PHASE_RETRY", "PHASE_COMPLETE", "PHASE_FAILED", "PHASE_CANCELLED"])
def test_a_phase_that_never_started_has_taken_no_time(kind: str) -> None:
    phase = last(START, on(kind, name="a", at=12.0)).phase("a")
    assert (phase.started_at, phase.elapsed) == (12.0, 0.0)


@pytest.mark.parametrize("kind", ["PHASE_RETRY", "PHASE_COMPLETE", "PHASE_FAILED", "PHASE_CANCELLED"])
def test_a_start_ahead_of_the_last_known_time_never_gives_a_negative_elapsed(kind: str) -> None:
    by_hand = PipelineState("p", (PhaseStatus("a", "running", 100.0), PhaseStatus("b")))
    assert reducer_of()(by_hand, on(kind, name="a")).phase("a").elapsed == 0.0


def test_elapsed_is_right_after_a_failure() -> None:
    state = last(
        START, on("PHASE_START", name="a", at=11.0), on("PHASE_FAILED", name="a", error="x", at=14.0)
    )
    assert (state.status, state.elapsed, state.phase("a").elapsed) == ("failed", 4.0, 3.0)
    assert state.phase("a").error == "x"
    assert state.current_phase == "a"


def test_progress_stays_below_one_until_the_pipeline_completes() -> None:
    reducer = reducer_of(a=0.1, b=0.2, c=0.3)
    made = states(START, *[on("PHASE_COMPLETE", name=name) for name in "abc"], reducer=reducer)
    assert made[-1].progress == math.nextafter(1.0, 0.0)
    assert reducer(made[-1], on("PIPELINE_COMPLETE")).progress == 1.0


def test_progress_is_zero_while_the_whole_weight_is_zero() -> None:
    reducer = reducer_of(a=0, b=0)
    state = last(START, on("PHASE_COMPLETE", name="a"), reducer=reducer)
    assert state.progress == 0.0
    assert reducer(state, on("PIPELINE_COMPLETE")).progress == 1.0


def test_a_phase_of_weight_zero_adds_nothing() -> None:
    assert last(START, on("PHASE_COMPLETE", name="a"), reducer=reducer_of(a=0, b=4)).progress == 0.0


def test_a_completion_counts_once() -> None:
    assert last(START, on("PHASE_COMPLETE", name="a"), on("PHASE_COMPLETE", name="a")).progress == 0.5


def test_skipped_counts_as_progress_and_keeps_its_error_and_failed_and_cancelled_do_not_count() -> None:
    state = last(START, on("PHASE_SKIPPED", name="a", error="not today"))
    assert (state.progress, state.phase("a").status, state.phase("a").error) == (0.5, "skipped", "not today")
    assert state.status == "running"
    assert last(START, on("PHASE_FAILED", name="a", error="x")).progress == 0.0
    state = last(START, on("PHASE_START", name="a"), on("PHASE_CANCELLED", name="a"))
    assert (state.progress, state.phase("a").status, state.status) == (0.0, "cancelled", "running")


def test_a_retry_keeps_the_start_and_the_logs_and_counts_the_attempts() -> None:
    made = states(
        START,
        on("PHASE_START", name="a", attempt=1, at=11.0),
        on("PHASE_LOG", name="a", line="first"),
        on("PHASE_RETRY", name="a", attempt=1, error="flaky", max_retries=2, at=12.0),
        on("PHASE_START", name="a", attempt=2, at=15.0),
        on("PHASE_COMPLETE", name="a", at=16.0),
    )
    waiting, again, done = (state.phase("a") for state in made[-3:])
    assert (waiting.status, waiting.attempt, waiting.error) == ("retrying", 1, "flaky")
    assert (again.status, again.attempt, again.started_at, again.error) == ("running", 2, 11.0, "flaky")
    assert (done.status, done.elapsed, done.error, len(done.logs)) == ("completed", 5.0, "", 1)


def test_cancelled_and_end() -> None:
    assert last(START, on("PIPELINE_CANCELLED", at=12.0)).status == "cancelled"
    ended = last(
        START, on("PHASE_FAILED", name="a", error="x", at=11.0), on("PIPELINE_END", status="failed", at=19.0)
    )
    assert (ended.status, ended.elapsed) == ("failed", 9.0)
    assert last(START, Action("@@PIPELINE_END")).status == "running"


def test_a_second_start_starts_afresh() -> None:
    state = last(
        START,
        on("PHASE_START", name="a", at=11.0),
        on("PHASE_LOG", name="a", line="old"),
        on("PHASE_COMPLETE", name="a", at=12.0),
        on("PHASE_FAILED", name="b", error="x", at=13.0),
        Action("@@PIPELINE_START", {"at": 50.0}),
    )
    assert (state.status, state.progress, state.elapsed, state.started_at) == ("running", 0.0, 0.0, 50.0)
    assert [(phase.status, phase.logs, phase.error) for phase in state.phases] == [("pending", (), "")] * 2


def test_a_resumed_start_keeps_what_is_finished() -> None:
    reducer = reducer_of(a=1, b=1, c=1, d=1)
    state = last(
        START,
        on("PHASE_COMPLETE", name="a", at=12.0),
        on("PHASE_SKIPPED", name="b", error="x", at=12.0),
        on("PHASE_FAILED", name="c", error="x", at=13.0),
        on("PHASE_START", name="d", at=13.0),
        Action("@@PIPELINE_START", {"at": 50.0, "resumed": True}),
        reducer=reducer,
    )
    assert [phase.status for phase in state.phases] == ["completed", "skipped", "pending", "pending"]
    assert (state.status, state.progress) == ("running", 0.5)
    state = reducer(state, on("PHASE_COMPLETE", name="c", at=51.0))
    assert state.progress == 0.75


def test_resumed_in_a_pipeline_without_weight() -> None:
    reducer = reducer_of(a=0)
    state = last(
        START, on("PHASE_COMPLETE", name="a"), on("PIPELINE_START", at=2.0, resumed=True), reducer=reducer
    )
    assert (state.progress, state.phase("a").status) == (0.0, "completed")


def test_no_logs_are_kept_where_max_logs_is_zero() -> None:
    reducer = Pipeline("p", Phase("a", lambda: None, max_logs=0)).build_reducer()
    assert last(START, on("PHASE_LOG", name="a", line="x"), reducer=reducer).phase("a").logs == ()


KINDS = [getattr(types_of, name) for name in types_of.__all__]
TIMES = st.one_of(st.none(), st.floats(-5, 50, allow_nan=False))


@st.composite
def any_action(draw: st.DrawFn) -> Action:
    payload: dict[str, Any] = {"name": draw(st.sampled_from("abcx"))}
    at = draw(TIMES)
    if draw(st.booleans()):
        payload["at"] = at
    for field, values in {
        "attempt": st.integers(1, 3),
        "error": st.sampled_from(["", "broken"]),
        "line": st.text(max_size=3),
        "resumed": st.booleans(),
    }.items():
        if draw(st.booleans()):
            payload[field] = draw(values)
    if "at" in payload and payload["at"] is None and draw(st.booleans()):
        del payload["at"]
    return Action(draw(st.sampled_from(KINDS)), payload)


@settings(max_examples=150)
@given(st.lists(any_action(), max_size=40))
def test_any_actions_in_any_order_give_sound_states_and_the_same_ones_again(actions: list[Action]) -> None:
    first = states(*actions, reducer=reducer_of(a=1, b=0, c=2.5))
    kept = [(state.phases, state.progress) for state in first]
    second = states(*actions, reducer=reducer_of(a=1, b=0, c=2.5))
    assert first == second
    assert kept == [(state.phases, state.progress) for state in first]
    for state in first:
        assert 0.0 <= state.progress <= 1.0
        assert state.elapsed >= 0.0
        for phase in state.phases:
            assert phase.elapsed >= 0.0
            assert len(phase.logs) <= 200
            assert state.phase(phase.name) == phase
