"""current_phase: what a handler may ask about its attempt, from whatever thread or coroutine of it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

import milo
from milo import Phase, PhaseCancelled, PhasePolicy, Pipeline, Store, current_phase
from milo.errors import StateError
from milo.execution.current import phase_or_none
from milo.saga import Call, SagaTask
from milo.session import Session
from tests.session.helpers import WAIT_S, LimitsByHand, one


def test_it_names_the_phase_and_the_attempt() -> None:
    seen: list[tuple[str, int, str]] = []

    def work() -> None:
        phase = current_phase()
        seen.append((phase.name, phase.attempt, repr(phase)))
        if phase.attempt == 1:
            raise OSError("once")

    assert milo.run(one(work, policy=PhasePolicy("retry", 1, 0.0))).ok
    assert seen == [
        ("it", 1, "<CurrentPhase 'it', attempt 1>"),
        ("it", 2, "<CurrentPhase 'it', attempt 2>"),
    ]


def test_the_idempotency_key_is_that_of_the_phase_and_the_run_whatever_the_attempt() -> None:
    keys: list[str] = []

    def work() -> None:
        keys.append(current_phase().idempotency_key)
        if current_phase().attempt == 1:
            raise OSError("once")

    policy = PhasePolicy("retry", 1, 0.0)
    pipeline = Pipeline("p", Phase("a", work, policy=policy), Phase("b", work, policy=policy))
    first, second = milo.run(pipeline), milo.run(pipeline)
    assert keys[0::2] == keys[1::2]
    assert len(set(keys)) == 4
    assert all(key.startswith(first.run_id) for key in keys[:4])
    assert all(key.startswith(second.run_id) for key in keys[4:])


def test_outside_a_handler_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(StateError, match=r"outside a phase's handler\. Call it in a handler that run\(\)"):
        current_phase()
    assert phase_or_none() is None


def test_a_call_of_a_saga_that_is_no_phase_has_none() -> None:
    with Store(lambda state, action: state) as store:
        assert store.run_saga(lambda: (yield Call(phase_or_none))).result(WAIT_S) is None


def test_a_coroutine_has_the_phase_it_belongs_to_also_after_it_waited() -> None:
    async def work() -> tuple[str, str]:
        before = current_phase().name
        await asyncio.sleep(0)
        return before, await asyncio.create_task(inner())

    async def inner() -> str:
        return current_phase().name

    assert milo.run(one(work)).results["it"] == ("it", "it")


def test_phases_that_run_at_once_each_have_their_own() -> None:
    both = threading.Barrier(2)

    def work() -> str:
        both.wait(WAIT_S)
        return current_phase().name

    pipeline = Pipeline("p", Phase("a", work, parallel=True), Phase("b", work, parallel=True))
    assert milo.run(pipeline, max_workers=2).results == {"a": "a", "b": "b"}


def test_a_thread_that_was_started_with_the_handlers_context_has_it_and_another_has_not() -> None:
    def work() -> list[str | None]:
        names: list[str | None] = []

        def look() -> None:
            phase = phase_or_none()
            names.append(phase and phase.name)

        for target in (contextvars.copy_context().run, contextvars.Context().run):
            thread = threading.Thread(target=target, args=(look,))
            thread.start()
            thread.join(WAIT_S)
        return names

    assert milo.run(one(work)).results["it"] == ["it", None]


def test_inside_a_nested_run_it_is_the_inner_phase() -> None:
    def outer() -> tuple[str, str, str]:
        before = current_phase().name
        inner = milo.run(Pipeline("q", Phase("inner", lambda: current_phase().name))).results["inner"]
        return before, inner, current_phase().name

    assert milo.run(one(outer)).results["it"] == ("it", "inner", "it")


# Log lines


@pytest.mark.parametrize("capture", [False, True])
def test_its_log_lines_are_the_phases_whether_its_output_is_captured_or_not(capture: bool) -> None:
    def work() -> None:
        current_phase().log("one\ntwo")
        current_phase().log("three\n")
        current_phase().log("")
        current_phase().log(4)
        current_phase().emit("stderr", "five")

    result = milo.run(Pipeline("p", Phase("it", work), capture_output=capture))
    logs = [(log.stream, log.line) for log in result.state.phase("it").logs]
    assert logs == [*(("stdout", line) for line in ["one", "two", "three", "", "4"]), ("stderr", "five")]


def test_its_log_lines_are_made_safe() -> None:
    result = milo.run(one(lambda: current_phase().log("a\x1b[2Jb\rc")))
    assert [log.line for log in result.state.phase("it").logs] == ["ab␍c"]


def test_lines_of_other_attempts_of_other_runs_do_not_get_in_each_others_way() -> None:
    kept: list[milo.CurrentPhase] = []
    milo.run(one(lambda: kept.append(current_phase())))
    result = milo.run(one(lambda: kept[0].log("too late, and of another run")))
    assert result.ok
    assert result.state.phase("it").logs == ()


# Cancellation


class Cancelled:
    """A run of one phase that is cancelled as soon as its handler says that it is there."""

    def __init__(self, handler: Callable[[threading.Event], Any], grace: float = WAIT_S) -> None:
        pipeline = one(lambda: handler(self.there), parallel=True)
        self.there = threading.Event()
        with Store(pipeline.build_reducer()) as store:
            self.task: SagaTask = store.run_saga(pipeline.build_saga(grace=grace))
            assert self.there.wait(WAIT_S)
            self.task.cancel()
            self.task.wait_done(WAIT_S)
            self.phase = store.get_state().phase("it")
            self.abandoned = store._runner.executor.abandoned


def test_a_handler_that_looks_has_ended_when_the_run_ends() -> None:
    log: list[str] = []

    def work(there: threading.Event) -> None:
        phase = current_phase()
        assert not phase.cancelled
        there.set()
        while not phase.cancelled:
            threading.Event().wait(0.001)
        log.append("ended")

    ran = Cancelled(work)
    assert (log, ran.phase.status, ran.abandoned) == (["ended"], "cancelled", 0)


def test_check_raises_what_no_except_exception_swallows() -> None:
    log: list[str] = []

    def work(there: threading.Event) -> None:
        current_phase().check()
        there.set()
        try:
            while True:
                try:
                    current_phase().check()
                    threading.Event().wait(0.001)
                except Exception:  # noqa: BLE001 - what a handler that tries again and again does
                    log.append("swallowed")
        except PhaseCancelled as error:
            log.append(str(error))
            raise

    ran = Cancelled(work)
    assert log == ["Phase 'it' was cancelled."]
    assert (ran.phase.status, ran.phase.error) == ("cancelled", "")


def test_a_callback_is_called_once_and_what_was_taken_back_never() -> None:
    heard: list[str] = []

    def work(there: threading.Event) -> None:
        told = threading.Event()
        phase = current_phase()
        phase.on_cancel(lambda: heard.append("taken back"))()
        phase.on_cancel(lambda: heard.append("told"))
        phase.on_cancel(told.set)
        there.set()
        assert told.wait(WAIT_S)
        phase.on_cancel(lambda: heard.append("at once"))()

    ran = Cancelled(work)
    assert heard == ["told", "at once"]
    assert ran.abandoned == 0


def test_it_says_how_many_seconds_there_are_for_the_ending() -> None:
    seen: list[float] = []

    def work(there: threading.Event) -> None:
        told = threading.Event()
        current_phase().on_cancel(told.set)
        there.set()
        told.wait(WAIT_S)
        seen.append(current_phase().grace_s)

    Cancelled(work, grace=7.5)
    assert seen == [7.5]


def test_after_a_limit_that_is_a_second_at_most() -> None:
    seen: list[float] = []

    def work() -> None:
        told = threading.Event()
        phase = current_phase()
        seen.append(phase.grace_s)
        phase.on_cancel(told.set)
        clock.up()
        told.wait(WAIT_S)
        seen.append(phase.grace_s)

    clock = LimitsByHand()
    result = Session(one(work, timeout=600), grace=7.5, clock=clock).run()
    assert result.state.phase("it").error == "timed out after 600 s"
    assert seen == [7.5, 1.0]


def test_a_limit_is_a_cancellation_to_the_handler_and_a_failure_of_the_phase() -> None:
    seen: list[bool] = []

    def work() -> None:
        phase = current_phase()
        assert not phase.cancelled
        clock.up()
        while not phase.cancelled:
            threading.Event().wait(0.001)
        seen.append(True)
        phase.log("cleaning up")
        phase.check()

    clock = LimitsByHand()
    result = Session(one(work, timeout=600), clock=clock).run()
    phase = result.state.phase("it")
    assert seen == [True]
    assert (phase.status, phase.error) == ("failed", "timed out after 600 s")
    assert [log.line for log in phase.logs] == ["cleaning up"]
