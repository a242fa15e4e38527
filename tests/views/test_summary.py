"""The summary: what came of the run, what failed and why, and where time was given away."""

import pytest

from milo.pipeline import Phase, PhaseLog, PhaseStatus, Pipeline, PipelineState
from milo.views.summary import SummaryView, alone_hint, longest_path


def phase(name, *needs, parallel=False):
    return Phase(name, handler=lambda context: None, depends_on=needs, parallel=parallel)


def told(tape, out, pipeline, state, **options):
    SummaryView(pipeline, out, **options).close(state)
    return tape.getvalue()


def test_a_completed_run_says_so_in_one_line(out, tape):
    state = PipelineState("build", (PhaseStatus("a", "completed"),), elapsed=1.5, status="completed")
    assert told(tape, out, Pipeline("build", phase("a")), state) == "build completed in 1.5 s: 1 completed\n"


def test_a_failed_phase_is_named_with_its_error_and_its_last_ten_lines(out, tape):
    logs = tuple(PhaseLog(f"line {n}", "stderr" if n == 29 else "stdout") for n in range(30))
    failed = PhaseStatus("a", "failed", elapsed=2.0, error="ValueError: no", attempt=3, logs=logs)
    state = PipelineState("build", (failed, PhaseStatus("b")), elapsed=2.0, status="failed")
    lines = told(tape, out, Pipeline("build", phase("a"), phase("b")), state).splitlines()
    assert lines[:2] == ["a failed after 2.0 s, attempt 3", "  ValueError: no"]
    assert lines[3:13] == [f"  | line {n}" for n in range(20, 29)] + ["  ! line 29"]
    assert lines[-1] == "build failed in 2.0 s: 1 failed, 1 not started"


def test_skipped_and_cancelled_phases_are_named(out, tape):
    statuses = (PhaseStatus("a", "skipped"), PhaseStatus("b", "cancelled"))
    state = PipelineState("build", statuses, status="cancelled")
    text = told(tape, out, Pipeline("build", phase("a"), phase("b")), state)
    assert "skipped: a\n" in text
    assert "cancelled: b\n" in text


def test_quiet_says_nothing_of_a_run_that_completed(out, tape):
    state = PipelineState("build", (PhaseStatus("a", "completed"),), status="completed")
    assert told(tape, out, Pipeline("build", phase("a")), state, quiet=True) == ""


def test_quiet_tells_a_failure(out, tape):
    state = PipelineState("build", (PhaseStatus("a", "failed", error="no"),), status="failed")
    assert "a failed" in told(tape, out, Pipeline("build", phase("a")), state, quiet=True)


def test_a_thousand_failures_do_not_flood_the_terminal(out, tape):
    statuses = tuple(PhaseStatus(f"p{n}", "failed", error="no") for n in range(1000))
    pipeline = Pipeline("build", *(phase(f"p{n}") for n in range(1000)))
    text = told(tape, out, pipeline, PipelineState("build", statuses, status="failed"))
    assert "and 980 more failed phases\n" in text
    assert len(text.splitlines()) < 60


def test_the_longest_path_counts_a_chain_and_not_its_neighbours():
    phases = (phase("c", "b"), phase("b", "a"), phase("a"), phase("x"))
    assert longest_path(phases, {"a": 1, "b": 2, "c": 3, "x": 5}) == 6


def test_the_longest_path_of_a_hundred_thousand_in_a_row_needs_no_recursion():
    phases = [phase("0")] + [phase(str(n), str(n - 1)) for n in range(1, 100_000)]
    assert longest_path(reversed(phases), {p.name: 1.0 for p in phases}) == 100_000


def took(pipeline, seconds):
    return [PhaseStatus(p.name, "completed", elapsed=seconds[p.name]) for p in pipeline.phases]


def test_phases_that_ran_alone_for_no_reason_are_named():
    pipeline = Pipeline("build", phase("a"), phase("b"), phase("c", "a", "b"))
    hint = alone_hint(pipeline, took(pipeline, {"a": 10, "b": 12, "c": 0.01}), 22.01)
    assert hint == "took 22 s, longest path 12 s; these phases ran alone: b, a; consider parallel=True"


@pytest.mark.parametrize(
    ("pipeline", "seconds", "elapsed"),
    [
        (Pipeline("chain", phase("a"), phase("b", "a")), {"a": 5, "b": 5}, 10.0),
        (Pipeline("short", phase("a"), phase("b")), {"a": 0.1, "b": 0.1}, 0.2),
        (Pipeline("wide", phase("a", parallel=True), phase("b", parallel=True)), {"a": 5, "b": 5}, 10.0),
        (Pipeline("one", phase("a"), phase("b"), phase("c")), {"a": 10, "b": 0, "c": 0}, 10.4),
    ],
    ids=["a chain has to run one by one", "too short to matter", "already parallel", "nothing beside it"],
)
def test_there_is_no_hint_where_it_would_not_help(pipeline, seconds, elapsed):
    assert alone_hint(pipeline, took(pipeline, seconds), elapsed) == ""


def test_a_run_with_one_worker_gets_no_hint(out, tape):
    pipeline = Pipeline("build", phase("a"), phase("b"))
    state = PipelineState("build", tuple(took(pipeline, {"a": 9, "b": 9})), elapsed=18.0, status="completed")
    assert "alone" not in told(tape, out, pipeline, state, workers=1)
