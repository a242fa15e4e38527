"""Session: from any thread, nested, cancelled, and whatever handlers and watchers do."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline, PipelineState
from milo.errors import PipelineError, StateError
from milo.session import RunResult, Session
from milo.session.asynchronous import AsyncSession
from milo.session.recording import JournalOptions, begin, resume

from .helpers import WAIT_S, in_thread, one, outcome_of, raising


def test_a_session_runs_once() -> None:
    session = Session(one(lambda: None))
    session.run()
    with pytest.raises(StateError, match="has run already"):
        session.run()


@pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")
@pytest.mark.parametrize("run", [Session.run, lambda session: asyncio.run(session.arun())])
def test_a_session_that_cannot_start_leaves_nothing_behind(run: Any, tmp_path: Path) -> None:
    """Neither what it captures through, nor the run that its journal has begun."""
    before = sys.stdout
    pipeline = Pipeline("p", Phase("it", lambda: None), capture_output=True)
    options = JournalOptions(tmp_path / "runs.db")
    session = AsyncSession(pipeline, executor="processes", recording=begin(pipeline, options))
    with pytest.raises(PipelineError, match="cannot be sent to a process"):
        run(session)
    assert sys.stdout is before
    resume(pipeline, options).close()


# Threads


def test_run_works_from_any_thread() -> None:
    result = in_thread(lambda: milo.run(one(threading.get_ident)))
    assert result.ok


def test_a_handler_never_runs_on_the_thread_that_called() -> None:
    assert milo.run(one(threading.get_ident)).results["it"] != threading.get_ident()


def test_handlers_run_on_daemon_threads() -> None:
    assert milo.run(one(lambda: threading.current_thread().daemon)).results["it"] is True


def test_several_runs_at_once_do_not_disturb_each_other() -> None:
    together = threading.Barrier(4)

    def build(number: int) -> RunResult:
        def work() -> int:
            print(f"from {number}")
            together.wait(WAIT_S)
            return number

        return milo.run(Pipeline(f"p{number}", Phase("it", work), capture_output=True))

    results: dict[int, RunResult] = {}
    threads = [
        threading.Thread(target=lambda number=number: results.update({number: build(number)}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len({result.run_id for result in results.values()}) == 4
    for number, result in results.items():
        assert result.results == {"it": number}
        assert [log.line for log in result.state.phase("it").logs] == [f"from {number}"]


def test_at_most_max_workers_run_at_once() -> None:
    lock = threading.Lock()
    running, most = [0], [0]

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    phases = [Phase(f"n{number}", work, parallel=True) for number in range(50)]
    assert milo.run(Pipeline("p", *phases), max_workers=3).ok
    assert most[0] <= 3


def test_more_workers_than_processors_run_together() -> None:
    both = threading.Barrier(8)
    phases = [Phase(f"n{number}", lambda: both.wait(WAIT_S), parallel=True) for number in range(8)]
    assert milo.run(Pipeline("p", *phases), max_workers=8).ok


# Nested


def test_a_run_inside_a_handler_has_workers_of_its_own() -> None:
    def outer() -> dict[str, Any]:
        return milo.run(one(lambda: 5), max_workers=1).results

    assert in_thread(lambda: milo.run(one(outer), max_workers=1)).results["it"] == {"it": 5}


def test_a_run_inside_a_handler_is_cancelled_with_the_outer_one() -> None:
    inside, inner_results = threading.Event(), []
    inner_ended = threading.Event()

    def inner_work() -> None:
        inside.set()
        threading.Event().wait(WAIT_S)

    def outer() -> None:
        inner_results.append(milo.run(one(inner_work), grace=0.0))
        inner_ended.set()

    session = Session(one(outer), grace=0.0)
    outcome: list[RunResult] = []
    thread = threading.Thread(target=lambda: outcome.append(session.run()))
    thread.start()
    assert inside.wait(WAIT_S)
    session.cancel()
    thread.join(WAIT_S)
    assert inner_ended.wait(WAIT_S)
    assert outcome[0].state.status == "cancelled"
    assert inner_results[0].state.status == "cancelled"


def test_capture_of_a_nested_run_goes_to_its_own_phases() -> None:
    inner: list[RunResult] = []

    def outer() -> None:
        print("before")
        inner.append(milo.run(Pipeline("q", Phase("in", lambda: print("inside")), capture_output=True)))
        print("after")

    result = milo.run(Pipeline("p", Phase("out", outer), capture_output=True))
    assert [log.line for log in result.state.phase("out").logs] == ["before", "after"]
    assert [log.line for log in inner[0].state.phase("in").logs] == ["inside"]


# Context


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody")


def test_attempts_inherit_the_context_of_the_caller() -> None:
    async def asynchronous() -> str:
        return variable.get()

    pipeline = Pipeline("p", Phase("plain", variable.get), Phase("async", asynchronous))

    def call() -> tuple[RunResult, RunResult]:
        variable.set("caller")
        return milo.run(pipeline), asyncio.run(milo.arun(pipeline))

    for result in contextvars.copy_context().run(call):
        assert result.results == {"plain": "caller", "async": "caller"}


def test_a_session_may_be_given_the_context_that_attempts_inherit() -> None:
    context = contextvars.copy_context()
    context.run(variable.set, "given")
    assert Session(one(variable.get), context=context).run().results == {"it": "given"}


def test_what_a_handler_sets_is_seen_by_no_other() -> None:
    pipeline = Pipeline("p", Phase("a", lambda: variable.set("a") and None), Phase("b", variable.get))
    assert milo.run(pipeline).results["b"] == "nobody"
    assert variable.get() == "nobody"


# What handlers raise


class WeirdError(BaseException):
    """Not an Exception."""


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot say")


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(), "SystemExit"),
        (asyncio.CancelledError(), "CancelledError"),
        (WeirdError("odd"), "odd"),
        (GeneratorExit(), "raised GeneratorExit"),
        (StopIteration(4), "4"),
        (StopAsyncIteration(), "StopAsyncIteration"),
        (MuteError(), "MuteError"),
        (KeyError("name"), "KeyError: 'name'"),
        (ValueError(), "ValueError"),
        (RecursionError("deep"), "deep"),
        (ExceptionGroup("both", [ValueError("a"), TypeError("b")]), "both (2 sub-exceptions)"),
        (ValueError("a\x1b]0;title\x07b\x1b[2Jc"), "a"),
    ],
)
def test_whatever_a_handler_raises_is_a_failure_of_its_phase(
    error: BaseException, text: str, parallel: bool
) -> None:
    pipeline = Pipeline(
        "p", Phase("it", raising(error), parallel=parallel), Phase("after", lambda: 1, depends_on=("it",))
    )
    result = in_thread(lambda: milo.run(pipeline))
    assert result.state.status == "failed"
    assert [phase.status for phase in result.state.phases] == ["failed", "pending"]
    shown = result.state.phase("it").error
    assert text in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "error", [SystemExit(1), asyncio.CancelledError(), WeirdError(), ValueError("x"), StopIteration()]
)
def test_whatever_an_async_handler_raises_is_a_failure_of_its_phase(error: BaseException) -> None:
    async def handler() -> None:
        raise error

    assert in_thread(lambda: milo.run(one(handler))).state.status == "failed"
    assert asyncio.run(milo.arun(one(handler))).state.status == "failed"


@pytest.mark.parametrize("policy", [PhasePolicy("retry", 3, 0.0), PhasePolicy("skip")])
def test_system_exit_is_never_retried_nor_skipped(policy: PhasePolicy) -> None:
    result = milo.run(one(raising(SystemExit(2)), policy=policy))
    phase = result.state.phase("it")
    assert (result.state.status, phase.status, phase.attempt) == ("failed", "failed", 1)


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("policy", [PhasePolicy(), PhasePolicy("skip"), PhasePolicy("retry", 3, 0.0)])
def test_keyboard_interrupt_from_a_handler_cancels_the_run(policy: PhasePolicy, parallel: bool) -> None:
    pipeline = Pipeline(
        "p",
        Phase("it", raising(KeyboardInterrupt()), policy=policy, parallel=parallel),
        Phase("after", lambda: 1),
    )
    result = in_thread(lambda: milo.run(pipeline, max_workers=1, keep_going=True))
    assert result.state.status == "cancelled"
    assert [phase.status for phase in result.state.phases] == ["cancelled", "pending"]


def test_an_error_that_is_raised_again_and_again_fails_each_time_alike() -> None:
    error = ValueError("the same object")
    pipeline = Pipeline("p", *[Phase(f"n{n}", raising(error), parallel=True) for n in range(4)])
    result = milo.run(pipeline, keep_going=True)
    assert {phase.error for phase in result.state.phases} == {"the same object"}


# on_state


def test_on_state_hears_the_states_in_order_and_the_last_for_certain() -> None:
    seen: list[PipelineState] = []
    result = milo.run(
        Pipeline("p", *[Phase(f"n{n}", lambda: None, parallel=True) for n in range(200)]),
        on_state=seen.append,
    )
    assert seen[-1] is result.state
    assert [state.progress for state in seen] == sorted(state.progress for state in seen)


def test_on_state_hears_the_end_of_a_failed_run_once() -> None:
    seen: list[PipelineState] = []
    result = milo.run(one(raising(ValueError("x"))), on_state=seen.append)
    assert seen[-1] is result.state
    assert len([state for state in seen if state is result.state]) == 1


def test_on_state_is_called_from_one_thread_and_not_from_the_callers() -> None:
    threads: set[int] = set()
    milo.run(
        Pipeline("p", *[Phase(f"n{n}", lambda: None, parallel=True) for n in range(50)]),
        on_state=lambda state: threads.add(threading.get_ident()),
    )
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_slow_on_state_does_not_slow_the_run() -> None:
    done, slow = threading.Event(), threading.Event()
    seen: list[PipelineState] = []

    def on_state(state: PipelineState) -> None:
        if not seen:
            slow.set()
            # Only the end of the last phase lets it go on: a run that waited for it would never get there.
            assert done.wait(WAIT_S)
        seen.append(state)

    def last() -> None:
        assert slow.wait(WAIT_S)
        done.set()

    result = milo.run(
        Pipeline("p", Phase("a", lambda: None), Phase("b", last, depends_on=("a",))), on_state=on_state
    )
    assert result.ok
    assert seen[-1] is result.state


def test_a_broken_on_state_does_not_break_the_run(caplog: pytest.LogCaptureFixture) -> None:
    told: list[PipelineState] = []

    def on_state(state: PipelineState) -> None:
        told.append(state)
        raise SystemExit("broken watcher") if len(told) % 2 else RuntimeError("broken watcher")

    result = milo.run(one(lambda: 1), on_state=on_state)
    assert result.results == {"it": 1}
    assert told[-1] is result.state
    assert caplog.text.count("it is still told of later states") == 1


def test_an_on_state_that_never_returns_is_left_behind_after_grace(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    result = in_thread(
        lambda: milo.run(one(lambda: 1), on_state=lambda state: release.wait(WAIT_S), grace=0.05)
    )
    release.set()
    assert result.ok
    assert "left behind" in caplog.text


def test_on_state_may_run_a_pipeline_itself() -> None:
    inner: list[bool] = []

    def on_state(state: PipelineState) -> None:
        if state.status == "completed":
            inner.append(milo.run(one(lambda: 1)).ok)

    milo.run(one(lambda: 1), on_state=on_state)
    assert inner == [True]


# Cancelling


def test_cancel_ends_the_run_without_waiting_for_a_handler_that_does_not_listen() -> None:
    inside, release = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        release.wait(WAIT_S)

    pipeline = Pipeline("p", Phase("it", work, parallel=True), Phase("after", lambda: 1, depends_on=("it",)))
    session = Session(pipeline)
    outcome: list[RunResult] = []
    thread = threading.Thread(target=lambda: outcome.append(session.run()))
    thread.start()
    assert inside.wait(WAIT_S)
    session.cancel()
    session.cancel()
    thread.join(WAIT_S)
    release.set()
    state = outcome[0].state
    assert state.status == "cancelled"
    assert [phase.status for phase in state.phases] == ["cancelled", "pending"]


def test_cancel_before_the_start_cancels_the_run() -> None:
    session = Session(one(lambda: threading.Event().wait(WAIT_S)))
    session.cancel()
    assert in_thread(session.run).state.status == "cancelled"


def test_cancel_after_the_end_changes_nothing() -> None:
    session = Session(one(lambda: 1))
    result = session.run()
    session.cancel()
    assert result.ok


def test_what_an_abandoned_handler_prints_later_is_dropped() -> None:
    inside, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        print("heard")
        inside.set()
        release.wait(WAIT_S)
        print("too late")
        ended.set()

    session = Session(Pipeline("p", Phase("it", work), capture_output=True))
    outcome: list[RunResult] = []
    thread = threading.Thread(target=lambda: outcome.append(session.run()))
    thread.start()
    assert inside.wait(WAIT_S)
    session.cancel()
    thread.join(WAIT_S)
    release.set()
    assert ended.wait(WAIT_S)
    assert [log.line for log in outcome[0].state.phase("it").logs] == ["heard"]


STUCK = """
import threading
import milo
import milo.session

inside = threading.Event()
session = milo.session.Session(milo.Pipeline("p", milo.Phase("it", lambda: inside.set() or threading.Event().wait())))
threading.Thread(target=lambda: inside.wait() and session.cancel()).start()
print(session.run().state.status)
"""


def test_an_abandoned_handler_does_not_hold_up_the_process() -> None:
    assert outcome_of(STUCK) == ("cancelled\n", "", 0)


LIMITED = """
import threading
import milo
result = milo.run(milo.Pipeline("p", milo.Phase("it", lambda: threading.Event().wait(), timeout=0.05)))
print(result.state.status, result.state.phase("it").error)
"""


def test_a_handler_whose_time_is_up_does_not_hold_up_the_process() -> None:
    assert outcome_of(LIMITED) == ("failed timed out after 0.05 s\n", "", 0)


# Capture


def test_capture_from_threads_that_a_handler_starts_with_its_context() -> None:
    def work() -> None:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(print, f"thread {number}"))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("no newline", end="")

    result = milo.run(Pipeline("p", Phase("it", work), capture_output=True))
    lines = [log.line for log in result.state.phase("it").logs]
    assert sorted(lines[:3]) == ["thread 0", "thread 1", "thread 2"]
    assert lines[3:] == ["no newline"]


def test_capture_tells_phases_apart_that_print_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def make(name: str) -> Phase:
        def work() -> None:
            for number in range(20):
                together.wait(WAIT_S)
                print(name, end=" ")
                print(number)

        return Phase(name, work, parallel=True)

    pipeline = Pipeline("p", *[make(name) for name in "abc"], capture_output=True)
    result = milo.run(pipeline, max_workers=3)
    for name in "abc":
        lines = [log.line for log in result.state.phase(name).logs]
        assert lines == [f"{name} {number}" for number in range(20)]


def test_capture_of_an_async_handler() -> None:
    async def work() -> None:
        print("one")
        await asyncio.sleep(0)
        print("two", end="")

    pipeline = Pipeline("p", Phase("it", work), capture_output=True)
    for result in (milo.run(pipeline), asyncio.run(milo.arun(pipeline))):
        assert [log.line for log in result.state.phase("it").logs] == ["one", "two"]


def test_nothing_that_was_printed_is_lost_when_the_handler_raises() -> None:
    def work() -> None:
        print("whole line")
        print("half a line", end="")
        raise ValueError("then it broke")

    result = milo.run(Pipeline("p", Phase("it", work), capture_output=True))
    assert [log.line for log in result.state.phase("it").logs] == ["whole line", "half a line"]
    assert result.state.phase("it").error == "then it broke"


def test_after_the_run_the_standard_streams_are_as_before() -> None:
    before = sys.stdout, sys.stderr
    milo.run(Pipeline("p", Phase("it", lambda: print("x")), capture_output=True))
    assert (sys.stdout, sys.stderr) == before


def test_fail_fast_cancels_what_runs() -> None:
    inside = threading.Event()

    def fail() -> None:
        assert inside.wait(WAIT_S)
        raise ValueError("first")

    def work() -> None:
        inside.set()
        threading.Event().wait(WAIT_S)

    pipeline = Pipeline(
        "p", Phase("long", work, parallel=True), Phase("bad", fail, parallel=True), fail_fast=True
    )
    result = in_thread(lambda: milo.run(pipeline, max_workers=2))
    assert [phase.status for phase in result.state.phases] == ["cancelled", "failed"]
    assert result.state.status == "failed"
