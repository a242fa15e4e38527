"""PipelineState, PhaseStatus, PhaseLog and Logs: immutable, built by hand, and old snapshots never change."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Action, Phase, Pipeline, PipelineState
from milo.pipeline import (
    PHASE_COMPLETE,
    PHASE_LOG,
    PHASE_START,
    PIPELINE_START,
    PhaseLog,
    PhaseStatus,
)
from milo.pipeline.state import NO_LOGS, Logs


def test_the_defaults() -> None:
    state, phase, log = PipelineState(), PhaseStatus("a"), PhaseLog("x")
    assert (state.name, state.phases, state.current_phase, state.status) == ("", (), "", "pending")
    assert (state.started_at, state.elapsed, state.progress) == (0.0, 0.0, 0.0)
    assert (phase.status, phase.started_at, phase.elapsed, phase.error) == ("pending", 0.0, 0.0, "")
    assert (phase.attempt, phase.logs) == (1, ())
    assert (log.line, log.stream, log.timestamp) == ("x", "stdout", 0.0)


def test_all_can_be_built_by_position() -> None:
    log = PhaseLog("x", "stderr", 2.0)
    phase = PhaseStatus("a", "running", 1.0, 2.0, "e", 3, (log,))
    state = PipelineState("p", (phase,), "a", 1.0, 2.0, 0.5, "running")
    assert state.phases == (phase,)
    assert state.phase("a") == phase
    assert (state.name, state.current_phase, state.started_at, state.elapsed) == ("p", "a", 1.0, 2.0)
    assert (state.progress, state.status, phase.logs, phase.attempt) == (0.5, "running", (log,), 3)


@pytest.mark.parametrize(
    "value", [PipelineState("p", (PhaseStatus("a"),)), PhaseStatus("a"), PhaseLog("x")], ids=type
)
def test_assigning_or_deleting_a_field_raises_attribute_error(value: Any) -> None:
    for name in [each for each in dir(value) if not each.startswith("_") and each != "phase"]:
        with pytest.raises(AttributeError):
            setattr(value, name, "other")
        with pytest.raises(AttributeError):
            delattr(value, name)
    with pytest.raises(AttributeError):
        value.something_new = 1


def test_phases_and_logs_are_tuples_whatever_they_were_built_from() -> None:
    phase = PhaseStatus("a", logs=[PhaseLog("x")])
    state = PipelineState(phases=[phase])
    assert isinstance(phase.logs, tuple)
    assert isinstance(state.phases, tuple)
    assert state.phases is state.phases


def test_states_compare_by_value_and_can_be_hashed_and_pickled() -> None:
    def make() -> PipelineState:
        return PipelineState("p", (PhaseStatus("a", logs=(PhaseLog("x"),)),), status="running")

    assert make() == make()
    assert hash(make()) == hash(make())
    assert make() != PipelineState("p", (PhaseStatus("b"),), status="running")
    assert make() != "p"
    assert pickle.loads(pickle.dumps(make())) == make()
    assert "status='running'" in repr(make())


def test_an_unknown_phase_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        PipelineState("p", (PhaseStatus("a"),)).phase("b")


def pipeline(**fields: Any) -> Pipeline:
    return Pipeline("p", *[Phase(name, lambda: None, **fields) for name in "abc"])


def test_a_state_built_by_hand_goes_through_the_reducer() -> None:
    reducer = pipeline().build_reducer()
    by_hand = PipelineState(
        "p",
        (PhaseStatus("c", "completed"), PhaseStatus("a", "running", 3.0), PhaseStatus("stranger")),
        started_at=1.0,
        status="running",
    )
    state = reducer(by_hand, Action(PHASE_COMPLETE, {"name": "a", "at": 5.0}))
    assert [phase.name for phase in state.phases] == ["a", "b", "c"]
    assert [phase.status for phase in state.phases] == ["completed", "pending", "completed"]
    assert (state.phase("a").elapsed, state.elapsed) == (2.0, 4.0)
    assert state.progress == pytest.approx(2 / 3)
    assert [phase.status for phase in by_hand.phases] == ["completed", "running", "pending"]


def test_a_log_of_a_state_built_by_hand_does_not_change_it() -> None:
    reducer = pipeline(max_logs=2).build_reducer()
    by_hand = PipelineState("p", (PhaseStatus("a", logs=(PhaseLog("1"), PhaseLog("2"))),))
    state = reducer(by_hand, Action(PHASE_LOG, {"name": "a", "line": "3"}))
    assert [log.line for log in by_hand.phases[0].logs] == ["1", "2"]
    assert [log.line for log in state.phase("a").logs] == ["2", "3"]


def test_old_snapshots_never_change() -> None:
    reducer = pipeline(max_logs=3).build_reducer()
    state = reducer(None, Action("@@INIT"))
    seen: list[tuple[PipelineState, tuple[PhaseStatus, ...], int]] = []
    actions = [Action(PIPELINE_START, 1.0), Action(PHASE_START, "a")]
    actions += [Action(PHASE_LOG, {"name": "a", "line": str(number)}) for number in range(20)]
    actions += [Action(PHASE_COMPLETE, {"name": "a", "at": 9.0})]
    for action in actions:
        state = reducer(state, action)
        copied = pickle.loads(pickle.dumps(state.phases))
        seen.append((state, copied, hash(state)))
    for snapshot, copied, hashed in seen:
        assert snapshot.phases == copied
        assert hash(snapshot) == hashed


@given(
    st.integers(0, 6),
    st.lists(st.tuples(st.integers(0, 30), st.text(max_size=3)), max_size=60),
)
def test_logs_are_lists_cut_to_their_last_lines_in_every_branch(
    limit: int, steps: list[tuple[int, str]]
) -> None:
    """Each step adds a line to any earlier version: all versions keep what they had."""
    versions: list[tuple[Logs, list[PhaseLog]]] = [(NO_LOGS, [])]
    for place, text in steps:
        logs, model = versions[max(0, len(versions) - 1 - place)]
        log = PhaseLog(text)
        versions.append((logs.add((text, "stdout", 0.0), limit), [*model, log][-limit:] if limit else []))
    for logs, model in versions:
        assert list(logs.as_tuple()) == model
        assert len(logs) == len(model) <= limit


def test_many_lines_keep_only_a_bounded_list() -> None:
    logs: Logs = NO_LOGS
    for number in range(10_000):
        logs = logs.add((str(number), "stdout", 0.0), 10)
        assert len(logs._lines) <= 21
    assert [log.line for log in logs.as_tuple()] == [str(number) for number in range(9_990, 10_000)]
