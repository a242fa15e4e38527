"""The generated saga: which effects it yields, and how failures, retries and cancellation end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import milo.testing
from milo import Call, Delay, Fork, Phase, PhasePolicy, Pipeline, Put, Store
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_RETRY,
    PHASE_START,
    PIPELINE_END,
)
from milo.pipeline.saga import describe
from milo.saga.effects import SagaCancelled

from .helpers import fails, puts, retry, told


def test_an_exclusive_phase_is_put_call_put_with_nothing_between() -> None:
    effects = milo.testing.step(Pipeline("p", Phase("a", lambda: 1), Phase("b", lambda: 2)).build_saga())
    kinds = [type(effect) for effect in effects]
    assert kinds == [Put, Put, Call, Put, Put, Call, Put, Put]


def test_after_an_inline_stop_failure_the_saga_ends_right_after_phase_failed() -> None:
    pipeline = Pipeline("p", Phase("a", fails(1)), Phase("b", lambda: 2))
    effects = milo.testing.step(pipeline.build_saga())
    assert puts(effects)[-1].type == PHASE_FAILED
    assert len(effects) == 4


def test_no_more_are_forked_than_can_run() -> None:
    phases = [Phase(f"n{number}", lambda: None, parallel=True) for number in range(20)]
    effects = milo.testing.step(Pipeline("p", *phases).build_saga(max_workers=3))
    assert len([effect for effect in effects if isinstance(effect, Fork)]) <= 20
    saga = Pipeline("p", *phases).build_saga(max_workers=3)()
    forked = [next(saga)]
    while not isinstance(forked[-1], milo.Take):
        forked.append(saga.send(None))
    assert len([effect for effect in forked if isinstance(effect, Fork)]) == 3


def test_each_call_of_build_saga_is_a_run_of_its_own() -> None:
    build = Pipeline("p", Phase("a", lambda: 1)).build_saga()
    ids = {puts(milo.testing.step(build))[0].payload["run_id"] for _ in range(2)}
    assert len(ids) == 2


def test_the_run_id_and_the_results_may_be_given() -> None:
    results: dict[str, Any] = {}
    saga = Pipeline("p", Phase("a", lambda: 1)).build_saga(run_id="mine", results=results)
    assert puts(milo.testing.step(saga))[0].payload["run_id"] == "mine"
    assert results == {"a": 1}


def test_a_saga_that_was_stepped_half_way_can_be_dropped() -> None:
    pipeline = Pipeline("p", Phase("a", lambda: 1, policy=retry(2)), Phase("b", lambda: 1, parallel=True))
    for steps in range(1, 8):
        saga = pipeline.build_saga()()
        next(saga)
        for _ in range(steps):
            try:
                saga.send(None)
            except StopIteration:
                break
        saga.close()


def test_a_child_of_a_fast_branch_never_waits_for_a_slow_sibling_of_its_parent() -> None:
    pipeline = Pipeline(
        "p",
        Phase("fast", lambda: 1, parallel=True),
        Phase("slow", lambda: 1, parallel=True),
        Phase("child", lambda: 1, depends_on=("fast",), parallel=True),
    )
    result = milo.testing.run(pipeline, durations={"fast": 1, "slow": 100, "child": 1})
    assert result.state.phase("child").started_at == 1.0


def test_the_longest_remaining_path_starts_first() -> None:
    pipeline = Pipeline(
        "p",
        Phase("small", lambda: 1, parallel=True, weight=2),
        Phase("head", lambda: 1, parallel=True, weight=1),
        Phase("tail", lambda: 1, parallel=True, weight=5, depends_on=("head",)),
    )
    assert milo.testing.run(pipeline, max_workers=1).started == ["head", "tail", "small"]


# Failures


def test_after_a_stop_failure_the_running_ones_finish_and_nothing_starts() -> None:
    pipeline = Pipeline(
        "p",
        Phase("bad", fails(1), parallel=True),
        Phase("long", lambda: 1, parallel=True),
        Phase("next", lambda: 1, depends_on=("long",)),
    )
    result = milo.testing.run(pipeline, durations={"bad": 1, "long": 5})
    assert [phase.status for phase in result.state.phases] == ["failed", "completed", "pending"]
    assert (result.state.status, result.state.elapsed) == ("failed", 5.0)
    assert result.actions[-1].type == PIPELINE_END


def test_fail_fast_cancels_the_running_ones_at_once() -> None:
    pipeline = Pipeline(
        "p", Phase("bad", fails(1), parallel=True), Phase("long", lambda: 1, parallel=True), fail_fast=True
    )
    result = milo.testing.run(pipeline, durations={"bad": 1, "long": 5})
    assert [phase.status for phase in result.state.phases] == ["failed", "cancelled"]
    assert (result.state.status, result.state.elapsed) == ("failed", 1.0)


def test_a_waiting_retry_ends_failed_with_its_last_error_after_a_stop_failure() -> None:
    pipeline = Pipeline(
        "p",
        Phase("flaky", fails(9), parallel=True, policy=retry(5, 60.0)),
        Phase("bad", fails(1), parallel=True),
    )
    result = milo.testing.run(pipeline, durations={"flaky": 1, "bad": 3})
    flaky = result.state.phase("flaky")
    assert (flaky.status, flaky.error) == ("failed", "try 1")
    assert result.state.elapsed == 3.0


def test_a_retry_whose_delay_is_over_and_that_waits_for_a_worker_ends_failed_too() -> None:
    pipeline = Pipeline(
        "p",
        Phase("flaky", fails(9), parallel=True, policy=retry(5, 1.0)),
        Phase("bad", fails(1), depends_on=("quick",)),
        Phase("quick", lambda: 1, parallel=True, weight=5),
    )
    result = milo.testing.run(pipeline, durations={"flaky": 1, "quick": 1, "bad": 7})
    flaky = result.state.phase("flaky")
    assert (flaky.status, flaky.error) == ("failed", "try 1")


def test_the_delay_of_a_retry_passes_while_an_exclusive_phase_runs() -> None:
    pipeline = Pipeline(
        "p",
        Phase("flaky", fails(1), parallel=True, weight=9, policy=retry(1, 3.0)),
        Phase("alone", lambda: 1),
    )
    result = milo.testing.run(pipeline, durations={"flaky": 1, "alone": 10})
    starts = [
        (each.payload["name"], each.payload["at"]) for each in result.actions if each.type == PHASE_START
    ]
    assert starts == [("flaky", 0.0), ("alone", 1.0), ("flaky", 11.0)]


def test_a_retry_that_waits_holds_no_worker() -> None:
    pipeline = Pipeline(
        "p",
        Phase("flaky", fails(1), parallel=True, weight=9, policy=retry(1, 10.0)),
        Phase("other", lambda: 1, parallel=True),
    )
    result = milo.testing.run(pipeline, durations={"flaky": 1, "other": 1}, max_workers=1)
    assert told(result) == [
        ("START", "flaky"),
        ("RETRY", "flaky"),
        ("START", "other"),
        ("COMPLETE", "other"),
        ("START", "flaky"),
        ("COMPLETE", "flaky"),
    ]
    assert result.state.elapsed == 12.0


def test_an_exclusive_phase_stays_alone_through_its_retry_waits() -> None:
    pipeline = Pipeline(
        "p",
        Phase("alone", fails(2), weight=9, policy=retry(2, 5.0)),
        Phase("other", lambda: 1, parallel=True),
    )
    result = milo.testing.run(pipeline)
    assert result.started == ["alone", "alone", "alone", "other"]
    assert result.state.phase("other").started_at == 10.0


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


def test_keep_going_ends_failed_and_runs_everything_that_does_not_depend_on_the_failure() -> None:
    pipeline = Pipeline(
        "p",
        Phase("bad", fails(1)),
        Phase("child", lambda: 1, depends_on=("bad",)),
        Phase("other", lambda: 1, parallel=True),
        Phase("more", lambda: 1, depends_on=("other",)),
        fail_fast=True,
    )
    result = milo.testing.run(pipeline, keep_going=True)
    assert [phase.status for phase in result.state.phases] == ["failed", "pending", "completed", "completed"]
    assert result.state.status == "failed"


def test_a_skipped_dependency_gives_none_after_a_result_of_an_earlier_one() -> None:
    pipeline = Pipeline(
        "p",
        Phase("a", fails(1), policy=PhasePolicy("skip")),
        Phase("b", lambda a, context: (a, dict(context)), depends_on=("a",)),
    )
    assert milo.testing.run(pipeline).results == {"b": (None, {"a": None})}


def test_what_a_phase_that_is_skipped_after_a_stop_failure_would_have_started_stays_pending() -> None:
    pipeline = Pipeline(
        "p",
        Phase("bad", fails(1), parallel=True),
        Phase("skipped", fails(1), parallel=True, policy=PhasePolicy("skip")),
        Phase("child", lambda: 1, parallel=True, depends_on=("skipped",)),
        Phase("alone", lambda: 1, depends_on=("skipped",)),
    )
    result = milo.testing.run(pipeline, durations={"bad": 1, "skipped": 5})
    assert [phase.status for phase in result.state.phases] == ["failed", "skipped", "pending", "pending"]


def test_a_phase_that_fails_after_a_stop_failure_is_not_retried() -> None:
    flaky = Phase("flaky", fails(1), parallel=True, policy=retry(5, 60.0))
    pipeline = Pipeline("p", Phase("bad", fails(1), parallel=True), flaky)
    result = milo.testing.run(pipeline, durations={"bad": 1, "flaky": 5})
    assert [kind for kind, name in told(result) if name == "flaky"] == ["START", "FAILED"]


@pytest.mark.parametrize("flaky_first", [True, False])
def test_a_retry_and_a_stop_failure_at_the_same_moment_do_not_wait_for_the_delay(flaky_first: bool) -> None:
    flaky = Phase("flaky", fails(1), parallel=True, policy=retry(5, 60.0))
    bad = Phase("bad", fails(1), parallel=True)
    phases = (flaky, bad) if flaky_first else (bad, flaky)
    result = milo.testing.run(Pipeline("p", *phases), durations={"bad": 1, "flaky": 1})
    assert {phase.status for phase in result.state.phases} == {"failed"}
    assert result.state.elapsed == 1.0


def test_a_keyboard_interrupt_of_one_phase_cancels_the_others() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    pipeline = Pipeline(
        "p",
        Phase("bad", interrupt, parallel=True, depends_on=("quick",)),
        Phase("quick", lambda: 1, parallel=True),
        Phase("flaky", fails(9), parallel=True, policy=retry(5, 60.0)),
        Phase("long", lambda: 1, parallel=True),
    )
    result = milo.testing.run(pipeline, durations={"quick": 2, "flaky": 1, "long": 50}, max_workers=3)
    statuses = [phase.status for phase in result.state.phases]
    assert statuses == ["cancelled", "completed", "cancelled", "cancelled"]
    assert (result.state.status, result.state.elapsed) == ("cancelled", 2.0)


def test_a_saga_that_was_given_no_limit_starts_no_more_than_the_store_can_run() -> None:
    clock = milo.testing.FakeClock()
    executor = milo.testing.VirtualExecutor(clock, lambda fn: 1.0, 1)
    pipeline = Pipeline("p", *[Phase(f"n{number}", lambda: 1, parallel=True) for number in range(4)])
    with Store(pipeline.build_reducer(), clock=clock, executor=executor) as store:
        store.run_saga(pipeline.build_saga(clock=clock)())
        for seconds in range(4):
            statuses = [phase.status for phase in store.get_state().phases]
            assert statuses == ["completed"] * seconds + ["running"] + ["pending"] * (3 - seconds)
            clock.advance(1.0)
        assert store.get_state().status == "completed"


# Cancellation


def cancelled_at(pipeline: Pipeline, seconds: float, **durations: float) -> tuple[Any, list[tuple[str, str]]]:
    clock = milo.testing.FakeClock()
    executor = milo.testing.VirtualExecutor(clock, lambda fn: durations.get(getattr(fn, "name", ""), 0.0), 2)
    actions: list[Any] = []

    def middleware(next_dispatch: Callable[[Any], Any], get_state: Callable[[], Any]) -> Callable[[Any], Any]:
        def dispatch(action: Any) -> Any:
            actions.append(action)
            return next_dispatch(action)

        return dispatch

    store = Store(pipeline.build_reducer(), clock=clock, executor=executor, middleware=(middleware,))
    task = store.run_saga(pipeline.build_saga(clock=clock, max_workers=2)())
    clock.advance(seconds)
    task.cancel()
    state = store.get_state()
    assert task.cancelled()
    store.shutdown()
    return state, [(each.type[2:], (each.payload or {}).get("name", "")) for each in actions[-3:]]


def test_cancelling_cancels_what_runs_and_what_waits_for_a_retry_and_then_the_pipeline() -> None:
    pipeline = Pipeline(
        "p",
        Phase("flaky", fails(9), parallel=True, policy=retry(5, 60.0)),
        Phase("long", lambda: 1, parallel=True),
        Phase("never", lambda: 1, depends_on=("long",)),
    )
    state, last = cancelled_at(pipeline, 5, flaky=1, long=100)
    assert [phase.status for phase in state.phases] == ["cancelled", "cancelled", "pending"]
    assert (state.status, state.elapsed) == ("cancelled", 5.0)
    assert sorted(last[:2]) == [("PHASE_CANCELLED", "flaky"), ("PHASE_CANCELLED", "long")]
    assert last[2] == ("PIPELINE_CANCELLED", "")


def test_cancelling_an_exclusive_phase_in_its_retry_wait() -> None:
    state, last = cancelled_at(Pipeline("p", Phase("a", fails(9), policy=retry(5, 60.0))), 5)
    assert (state.phase("a").status, state.status) == ("cancelled", "cancelled")
    assert last[1:] == [("PHASE_CANCELLED", "a"), ("PIPELINE_CANCELLED", "")]


def test_cancelling_a_saga_by_hand() -> None:
    saga = Pipeline("p", Phase("a", lambda: 1)).build_saga()()
    next(saga)
    saga.send(None)
    assert isinstance(saga.send(None), Call)
    assert saga.throw(SagaCancelled()).action.type == PHASE_CANCELLED
    assert saga.send(None).action.type == "@@PIPELINE_CANCELLED"
    with pytest.raises(SagaCancelled):
        saga.send(None)


# How it is told


def test_an_exclusive_retry_waits_in_a_delay() -> None:
    pipeline = Pipeline("p", Phase("a", fails(1), policy=retry(1, 2.5)))
    effects = milo.testing.step(pipeline.build_saga())
    assert Delay(2.5) in effects


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
