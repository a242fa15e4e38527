"""run and arun: a pipeline run from a program, on a thread or a loop, interrupted or not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import milo
from milo import Phase, Pipeline, PipelineState
from milo.errors import StateError
from milo.session import RunResult

from .helpers import WAIT_S, in_process, in_thread, one, outcome_of, raising

# Results


def test_the_result_holds_state_results_ok_and_run_id() -> None:
    pipeline = Pipeline("p", Phase("a", lambda: [1]), Phase("b", lambda a: [*a, 2], depends_on=("a",)))
    result = milo.run(pipeline)
    assert isinstance(result, RunResult)
    assert result.results == {"a": [1], "b": [1, 2]}
    assert (result.ok, result.state.status, result.state.name) == (True, "completed", "p")
    assert result.run_id


def test_a_failing_phase_does_not_raise() -> None:
    result = milo.run(one(raising(OSError("disk is full"))))
    assert (result.ok, result.state.status) == (False, "failed")
    assert result.state.phase("it").error == "disk is full"
    assert result.results == {}


def test_an_empty_pipeline_completes() -> None:
    result = milo.run(Pipeline("empty"))
    assert (result.ok, result.state.progress) == (True, 1.0)


def test_only_runs_those_phases_and_what_they_need() -> None:
    pipeline = Pipeline(
        "p",
        Phase("a", lambda: 1),
        Phase("b", lambda: 2, depends_on=("a",)),
        Phase("c", lambda: 3, depends_on=("b",)),
        Phase("d", lambda: 4),
    )
    result = milo.run(pipeline, only=("b",))
    assert result.results == {"a": 1, "b": 2}
    assert [phase.name for phase in result.state.phases] == ["a", "b"]
    assert result.ok
    assert milo.run(pipeline, only="d").results == {"d": 4}


def test_keep_going_runs_what_does_not_depend_on_the_failed_phase() -> None:
    pipeline = Pipeline(
        "p",
        Phase("bad", raising(OSError("no"))),
        Phase("after", lambda: 1, depends_on=("bad",)),
        Phase("other", lambda: 2),
    )
    stopped, went_on = milo.run(pipeline), milo.run(pipeline, keep_going=True)
    assert [phase.status for phase in stopped.state.phases] == ["failed", "pending", "pending"]
    assert [phase.status for phase in went_on.state.phases] == ["failed", "pending", "completed"]
    assert (went_on.state.status, went_on.results) == ("failed", {"other": 2})


# Event loops


def test_run_inside_a_running_loop_is_refused() -> None:
    async def main() -> None:
        milo.run(one(lambda: None))

    with pytest.raises(StateError, match=r"would block the event loop.*await milo\.arun"):
        asyncio.run(main())


def test_arun_runs_async_handlers_on_the_callers_loop() -> None:
    async def handler() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def main() -> bool:
        result = await milo.arun(one(handler))
        return result.results["it"] is asyncio.get_running_loop()

    assert asyncio.run(main())


def test_arun_lets_the_loop_go_on() -> None:
    async def main() -> RunResult:
        event = threading.Event()
        running = asyncio.create_task(milo.arun(one(lambda: event.wait(WAIT_S))))
        await asyncio.sleep(0)
        event.set()
        return await running

    assert asyncio.run(main()).results == {"it": True}


def test_many_async_handlers_wait_at_once_on_two_workers() -> None:
    async def main() -> RunResult:
        everybody = asyncio.Event()
        count = [0]

        async def handler() -> None:
            count[0] += 1
            if count[0] == 2:
                everybody.set()
            await everybody.wait()

        phases = [Phase(f"n{number}", handler, parallel=True) for number in range(2)]
        return await milo.arun(Pipeline("p", *phases), max_workers=2)

    assert asyncio.run(main()).ok


def test_cancelling_the_task_cancels_the_run() -> None:
    seen: list[str] = []
    states: list[PipelineState] = []

    async def main() -> None:
        started = asyncio.Event()

        async def handler() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("cleaned up")

        task = asyncio.create_task(milo.arun(one(handler), on_state=states.append))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["cleaned up"]
    assert states[-1].status == "cancelled"
    assert states[-1].phase("it").status == "cancelled"


def test_async_handlers_of_run_share_a_loop_of_their_own() -> None:
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    pipeline = Pipeline("p", Phase("a", loop), Phase("b", loop))
    results = milo.run(pipeline).results
    assert results["a"] == results["b"]


def test_cancelling_the_task_again_does_not_wait_for_a_handler_that_takes_its_time() -> None:
    states: list[PipelineState] = []

    async def main() -> None:
        started, cleaning = asyncio.Event(), asyncio.Event()

        async def handler() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cleaning.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(milo.arun(one(handler), on_state=states.append, grace=600))
        await started.wait()
        task.cancel()
        await cleaning.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, WAIT_S)

    asyncio.run(main())
    assert states[-1].status == "cancelled"


def test_a_limit_cancels_an_async_handler_on_the_callers_loop() -> None:
    seen: list[str] = []

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    result = asyncio.run(milo.arun(one(handler, timeout=0.05)))
    assert result.state.phase("it").error == "timed out after 0.05 s"
    assert seen == ["cleaned up"]


def test_arun_masks_as_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    pipeline = one(raising(ValueError("no hunter2")))
    assert asyncio.run(milo.arun(pipeline, mask=("TOKEN",))).state.phase("it").error == "no ***"


# Signals

INTERRUPTED = """
import os, signal, threading
import milo

def work():
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()

seen = []
pipeline = milo.Pipeline("p", milo.Phase("it", work), milo.Phase("after", print, depends_on=("it",)))
try:
    milo.run(pipeline, on_state=seen.append)
except KeyboardInterrupt:
    print("raised again", seen[-1].status, [phase.status for phase in seen[-1].phases])
"""


def test_a_keyboard_interrupt_of_the_main_thread_ends_the_run_and_is_raised_again() -> None:
    out, errors, status = outcome_of(INTERRUPTED)
    assert (out, errors, status) == ("raised again cancelled ['cancelled', 'pending']\n", "", 0)


DEAF = """
import asyncio, os, signal
import milo

async def work():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("told", flush=True)
        await asyncio.Event().wait()

seen = []
try:
    result = milo.run(milo.Pipeline("p", milo.Phase("it", work)), on_state=seen.append, grace=600, **OPTIONS)
    print("returned", result.state.status, result.state.phase("it").status, flush=True)
except KeyboardInterrupt:
    print("raised again", seen[-1].status, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("options", "last"),
    [("", "raised again cancelled"), ("handle_signals=True", "returned cancelled cancelled")],
)
def test_a_second_ctrl_c_does_not_wait_for_the_grace(options: str, last: str) -> None:
    program = f"OPTIONS = dict({options})\n{DEAF}"
    with in_process(program) as process:
        assert process.stdout is not None
        try:
            for expected in ("started\n", "told\n"):
                assert process.stdout.readline() == expected
                os.kill(process.pid, signal.SIGINT)
            out, errors = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert (out, errors, process.returncode) == (f"{last}\n", "", 0)


@pytest.fixture
def sent() -> Callable[[signal.Signals], Callable[[], None]]:
    """A handler that sends this process a signal and waits until it was cancelled."""

    def make(number: signal.Signals) -> Callable[[], None]:
        def work() -> None:
            told = threading.Event()
            milo.current_phase().on_cancel(told.set)
            os.kill(os.getpid(), number)
            told.wait(WAIT_S)

        return work

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_with_handle_signals_a_signal_cancels_the_run_and_the_program_goes_on(name: str, sent: Any) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    pipeline = Pipeline("p", Phase("it", sent(number)), Phase("after", lambda: 1, depends_on=("it",)))
    result = milo.run(pipeline, handle_signals=True)
    assert result.state.status == "cancelled"
    assert [phase.status for phase in result.state.phases] == ["cancelled", "pending"]
    assert signal.getsignal(number) is before


def test_with_handle_signals_a_run_without_a_signal_is_like_any_other() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert milo.run(one(lambda: 1), handle_signals=True).results == {"it": 1}
    assert signal.getsignal(signal.SIGINT) is before


def test_signals_can_be_handled_in_the_main_thread_only() -> None:
    ran: list[int] = []
    error = in_thread(lambda: milo.run(one(lambda: ran.append(1)), handle_signals=True))
    assert isinstance(error, StateError)
    assert "main thread" in str(error)
    assert ran == []
