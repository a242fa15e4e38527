"""Runs that are recorded, resumed, and not recorded after all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline
from milo.journal import Follower, HeldError, JournalError, history
from milo.journal.faults import set_hook
from milo.pipeline import PIPELINE_START, PipelineState
from milo.session.recording import JournalOptions, Recording, begin, resume
from milo.session.session import Session


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Steps:
    """Three phases in a row that note when they run; `broken` makes the named one fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = ""

    def pipeline(self, **fields: Any) -> Pipeline:
        def make(name: str) -> Callable[[Any], Any]:
            def handler(context: Any) -> Any:
                self.ran.append(name)
                if self.broken == name:
                    raise ValueError(f"{name} is broken")
                return [name, *context.values()]

            return handler

        return Pipeline(
            "steps",
            Phase("a", make("a")),
            Phase("b", make("b"), depends_on=("a",), **fields),
            Phase("c", make("c"), depends_on=("b",)),
        )


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_a_resumed_run_keeps_what_is_done_and_runs_the_rest(steps: Steps, journal: Path) -> None:
    steps.broken = "c"
    failed = milo.run(steps.pipeline(), journal=journal)
    assert (failed.state.status, steps.ran) == ("failed", ["a", "b", "c"])
    steps.broken, steps.ran = "", []
    result = milo.run(steps.pipeline(), journal=journal, resume=True)
    assert result.ok
    assert steps.ran == ["c"]
    assert result.results == {"a": ["a"], "b": ["b", ["a"]], "c": ["c", ["b", ["a"]]]}
    assert result.run_id == failed.run_id
    assert [info.status for info in history(journal)] == ["completed"]


def states_at_start(pipeline: Pipeline, journal: Path) -> list[PipelineState]:
    """The state after each beginning that the journal holds."""
    reducer = pipeline.build_reducer()
    state, found = None, []
    with Follower(journal) as follower:
        for action in follower.poll():
            state = reducer(state, action)
            if action.type == PIPELINE_START:
                found.append(state)
    return found


def test_a_changed_phase_and_what_depends_on_it_run_again(steps: Steps, journal: Path) -> None:
    """While they wait they are pending again, and the progress goes back."""
    steps.broken = "c"
    milo.run(steps.pipeline(), journal=journal)
    steps.broken, steps.ran = "", []
    again = steps.pipeline(version="2")
    result = milo.run(again, journal=journal, resume=True, max_workers=1)
    assert (result.ok, steps.ran) == (True, ["b", "c"])
    begun = states_at_start(again, journal)
    assert [state.progress for state in begun] == [0.0, pytest.approx(1 / 3)]
    assert [phase.status for phase in begun[-1].phases] == ["completed", "pending", "pending"]


def test_a_skipped_phase_stays_skipped(steps: Steps, journal: Path) -> None:
    policy = PhasePolicy("skip")
    steps.broken = "b"
    ran = steps.pipeline(policy=policy)
    broken_end = ran >> Phase("d", lambda: 1 / 0, depends_on=("c",))
    milo.run(broken_end, journal=journal)
    steps.ran = []
    result = milo.run(ran >> Phase("d", lambda: 4, depends_on=("c",)), journal=journal, resume=True)
    assert (result.ok, steps.ran) == (True, [])
    assert result.state.phase("b").status == "skipped"
    assert sorted(result.results) == ["a", "c", "d"]


def test_resuming_says_when_there_is_nothing_to_resume(steps: Steps, journal: Path) -> None:
    milo.run(steps.pipeline(), journal=journal)
    with pytest.raises(JournalError, match="nothing to resume"):
        milo.run(steps.pipeline(), journal=journal, resume=True)


def test_a_run_is_resumed_by_name_with_its_own_pipeline_only(steps: Steps, journal: Path) -> None:
    steps.broken = "a"
    first = milo.run(steps.pipeline(), journal=journal)
    milo.run(steps.pipeline(), journal=journal)
    with pytest.raises(milo.StateError, match="is one of the pipeline 'steps', not of 'other'"):
        milo.run(Pipeline("other"), journal=journal, resume=first.run_id)
    steps.broken = ""
    assert milo.run(steps.pipeline(), journal=journal, resume=first.run_id).run_id == first.run_id


def test_two_cannot_go_on_with_one_run(steps: Steps, journal: Path) -> None:
    """The second is told; when the first is done, the way is free."""
    steps.broken = "c"
    milo.run(steps.pipeline(), journal=journal)
    held = resume(steps.pipeline(), JournalOptions(journal))
    try:
        with pytest.raises(HeldError):
            milo.run(steps.pipeline(), journal=journal, resume=True)
    finally:
        held.close()
    steps.broken = ""
    assert milo.run(steps.pipeline(), journal=journal, resume=True).ok


def test_arun_records_and_resumes_as_well(steps: Steps, journal: Path) -> None:
    steps.broken = "b"
    asyncio.run(milo.arun(steps.pipeline(), journal=journal))
    steps.broken, steps.ran = "", []
    assert asyncio.run(milo.arun(steps.pipeline(), journal=journal, resume=True)).ok
    assert steps.ran == ["b", "c"]


def test_a_result_that_cannot_be_kept_is_said_once_and_its_phase_runs_again(
    journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    broken = [True]

    def make() -> object:
        ran.append("make")
        return object()

    def use(make: object) -> None:
        if broken[0]:
            raise ValueError("no")

    pipeline = Pipeline("p", Phase("make", make), Phase("use", use, depends_on=("make",)))
    milo.run(pipeline, journal=journal)
    assert caplog.text.count("runs again when the run is resumed") == 1
    broken[0] = False
    assert milo.run(pipeline, journal=journal, resume=True).ok
    assert ran == ["make", "make"]


def recording(pipeline: Pipeline, journal: Path, messages: list[str], *, required: bool) -> Recording:
    made = begin(pipeline, JournalOptions(journal, required=required, on_message=messages.append))
    assert made is not None
    return made


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No transaction can be committed."""

    def reached(point: str) -> None:
        if point == "before commit":
            raise OSError(errno.ENOSPC, "No space left on device")

    set_hook(reached)
    try:
        yield
    finally:
        set_hook(None)


def test_a_journal_that_fails_on_the_way_fails_a_run_that_must_be_recorded(
    steps: Steps, journal: Path
) -> None:
    """No completion is told of that is not durable."""
    states: list[PipelineState] = []
    pipeline = steps.pipeline()
    session = Session(
        pipeline, recording=recording(pipeline, journal, [], required=True), on_state=states.append
    )
    with full_disk(), pytest.raises(JournalError, match="the disk is full"):
        session.run()
    assert states[-1].status == "failed"
    assert not any(phase.status == "completed" for state in states[:-1] for phase in state.phases)


def test_a_journal_that_fails_on_the_way_is_a_warning_where_it_was_not_asked_for(
    steps: Steps, journal: Path
) -> None:
    messages: list[str] = []
    pipeline = steps.pipeline()
    session = Session(pipeline, recording=recording(pipeline, journal, messages, required=False))
    with full_disk():
        assert session.run().ok
    assert len(messages) == 1
    assert "the disk is full" in messages[0]
    assert messages[0].endswith("The run goes on unrecorded, and cannot be resumed.")


def test_a_journal_that_cannot_be_made_is_a_warning_where_it_was_not_asked_for(tmp_path: Path) -> None:
    messages: list[str] = []
    options = JournalOptions(tmp_path, required=False, on_message=messages.append)
    assert begin(Pipeline("p"), options) is None
    assert len(messages) == 1
    with pytest.raises(JournalError):
        begin(Pipeline("p"), JournalOptions(tmp_path))


def test_on_state_hears_of_a_completion_only_when_it_is_durable(journal: Path) -> None:
    """What another process could read at that moment holds it."""
    from milo.journal import Follower

    seen: list[tuple[str, str]] = []

    def look(state: PipelineState) -> None:
        with Follower(journal) as follower:
            follower.poll()
            seen.append((state.phase("a").status, follower.state.phase("a").status))

    assert milo.run(Pipeline("p", Phase("a", lambda: 1)), journal=journal, on_state=look).ok
    assert all(theirs == "completed" for ours, theirs in seen if ours == "completed")
    assert seen[-1] == ("completed", "completed")


@pytest.mark.parametrize("resumed", [True, "20200101"])
def test_resuming_without_a_journal_is_refused(resumed: Any) -> None:
    with pytest.raises(milo.StateError, match="needs the journal"):
        milo.run(Pipeline("p"), resume=resumed)
