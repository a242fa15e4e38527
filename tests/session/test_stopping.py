"""How runs stop: in which order it is told, what is waited for, and what a limit gives back."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Action, Phase, PhasePolicy, Pipeline, sh
from milo.execution.groups import ProcessGroups
from milo.pipeline import PHASE_LOG
from milo.saga.task import SagaTask
from milo.session import RunResult, Session
from tests.execution import elsewhere
from tests.execution.runs import cancelled_at
from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc, running

from .helpers import WAIT_S, LimitsByHand, in_process, in_thread, one

needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="needs /bin/sh")


class Told:
    """Runs a session on a thread of its own and remembers its actions."""

    def __init__(self, pipeline: Pipeline, **options: Any) -> None:
        self.actions: list[Action] = []
        self.session = Session(pipeline, middleware=[self._middleware], **options)
        self._outcome: list[RunResult] = []
        self._thread = threading.Thread(target=lambda: self._outcome.append(self.session.run()))
        self._thread.start()

    def _middleware(self, next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            if action.type.startswith("@@P"):
                self.actions.append(action)
            return next_dispatch(action)

        return dispatch

    def result(self) -> RunResult:
        self._thread.join(WAIT_S)
        assert self._outcome, "it hangs"
        return self._outcome[0]

    @property
    def words(self) -> list[str]:
        """The actions in short: what, of which phase, and the text of lines."""
        told = []
        for action in self.actions:
            payload = action.payload
            parts = [action.type.removeprefix("@@"), payload.get("name"), payload.get("line")]
            told.append(" ".join(part for part in parts if part))
        return told


def cleans_up(started: threading.Event, lines: int = 3) -> Callable[[], Any]:
    """An async handler that waits for ever, and whose cleanup waits as well."""

    async def handler() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            for number in range(lines):
                await asyncio.sleep(0)
                print("cleaning", number)

    return handler


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_grace_beyond_what_the_system_can_wait_is_a_long_one(executor: str) -> None:
    """In the main thread too, which waits in a way of its own."""
    if executor == "processes" and sys.platform == "win32":
        pytest.skip("worker processes need POSIX")
    result = cancelled_at("listening", Phase("a", elsewhere.listens), executor=executor, grace=1e9)
    assert [log.line for log in result.state.phase("a").logs] == ["listening", "heeded"]


@needs_proc
def test_a_command_that_a_handler_starts_before_it_hears_of_the_end_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups of processes are told first, and then the handlers, one after the other."""
    ended, mark = threading.Event(), Mark()
    end, cancel = ProcessGroups.end, SagaTask.cancel

    def ending(groups: ProcessGroups, grace_s: float) -> None:
        end(groups, grace_s)
        ended.set()

    def late(task: SagaTask) -> None:
        assert eventually((tmp_path / "started").exists)
        cancel(task)

    def handler() -> None:
        assert ended.wait(WAIT_S)
        sh(f"touch {tmp_path}/started; exec sleep 1000", env=mark.env)

    monkeypatch.setattr(ProcessGroups, "end", ending)
    monkeypatch.setattr(SagaTask, "cancel", late)
    told = Told(Pipeline("p", Phase("it", handler)))
    told.session.cancel()
    assert told.result().state.phase("it").status == "cancelled"
    assert eventually(mark.gone)


# The order in which it is told


@pytest.mark.parametrize("parallel", [True, False])
def test_a_cancelled_run_says_that_it_stops_and_ends_after_the_cleanup_of_its_handlers(
    parallel: bool,
) -> None:
    started = threading.Event()
    pipeline = Pipeline(
        "p",
        Phase("it", cleans_up(started), parallel=parallel),
        Phase("after", lambda: 1, depends_on=("it",)),
        capture_output=True,
    )
    told = Told(pipeline, grace=WAIT_S)
    assert started.wait(WAIT_S)
    told.session.cancel()
    told.session.cancel()
    state = told.result().state
    assert told.words == [
        "PIPELINE_START",
        "PHASE_START it",
        "PIPELINE_STOPPING",
        "PHASE_LOG it cleaning 0",
        "PHASE_LOG it cleaning 1",
        "PHASE_LOG it cleaning 2",
        "PHASE_CANCELLED it",
        "PIPELINE_CANCELLED",
        "PIPELINE_END",
    ]
    stopping = next(action.payload for action in told.actions if action.type.endswith("STOPPING"))
    assert stopping["grace"] == WAIT_S
    assert stopping["at"] <= told.actions[-1].payload["at"]
    assert [phase.status for phase in state.phases] == ["cancelled", "pending"]
    assert state.status == "cancelled"


def test_fail_fast_waits_for_the_cleanup_of_what_it_cancels() -> None:
    started = threading.Event()

    def fail() -> None:
        assert started.wait(WAIT_S)
        raise ValueError("no")

    pipeline = Pipeline(
        "p",
        Phase("long", cleans_up(started), parallel=True),
        Phase("bad", fail, parallel=True),
        capture_output=True,
        fail_fast=True,
    )
    told = Told(pipeline, max_workers=2, grace=WAIT_S)
    state = told.result().state
    assert told.words[-6:] == [
        "PHASE_FAILED bad",
        *(f"PHASE_LOG long cleaning {number}" for number in range(3)),
        "PHASE_CANCELLED long",
        "PIPELINE_END",
    ]
    assert [phase.status for phase in state.phases] == ["cancelled", "failed"]
    assert state.status == "failed"


def test_a_run_that_is_not_cancelled_never_says_that_it_stops() -> None:
    told = Told(one(lambda: 1))
    told.result()
    told.session.cancel()
    assert told.words == ["PIPELINE_START", "PHASE_START it", "PHASE_COMPLETE it", "PIPELINE_COMPLETE"]


def test_what_has_not_ended_when_the_grace_is_over_is_cancelled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("milo.session.grace.MARGIN_S", WAIT_S)
    started = threading.Event()

    async def deaf() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    told = Told(Pipeline("p", Phase("deaf", deaf)), grace=0.05)
    assert started.wait(WAIT_S)
    told.session.cancel()
    state = told.result().state
    assert (state.status, state.phase("deaf").status) == ("cancelled", "cancelled")
    assert told.words[-3:] == ["PHASE_CANCELLED deaf", "PIPELINE_CANCELLED", "PIPELINE_END"]


def test_a_plain_handler_is_not_waited_for_at_all() -> None:
    started, release = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(WAIT_S)

    told = Told(one(work), grace=600)
    assert started.wait(WAIT_S)
    told.session.cancel()
    assert told.result().state.phase("it").status == "cancelled"
    assert told.session.left_behind
    release.set()


# Limits on real threads


class Stuck:
    """A handler whose first attempt reaches its limit and goes on until it is released, and prints then."""

    def __init__(self) -> None:
        self.clock = LimitsByHand()
        self.release = threading.Event()
        self.ended = [threading.Event(), threading.Event()]
        self.calls = 0

    def __call__(self) -> str:
        call = self.calls
        self.calls += 1
        print("begun", call)
        if not call:
            self.clock.up()
        self.release.wait(WAIT_S)
        print("too late", call)
        sys.stdout.flush()
        self.ended[call].set()
        return "too late"


def test_an_abandoned_exclusive_attempt_holds_neither_its_place_nor_its_worker() -> None:
    """What follows runs on the only worker while the attempt still goes on behind it."""
    stuck = Stuck()
    pipeline = Pipeline(
        "p",
        Phase("stuck", stuck, timeout=600, policy=PhasePolicy("skip")),
        Phase("alone", lambda stuck: ("alone", stuck), depends_on=("stuck",)),
        *[Phase(f"n{n}", lambda: None, parallel=True, depends_on=("alone",)) for n in range(5)],
        capture_output=True,
    )
    result = in_thread(Session(pipeline, max_workers=1, clock=stuck.clock).run)
    assert result.ok
    assert not stuck.ended[0].is_set()
    assert "stuck" not in result.results
    assert result.results["alone"] == ("alone", None)
    stuck.release.set()
    assert stuck.ended[0].wait(WAIT_S)
    assert [log.line for log in result.state.phase("stuck").logs] == ["begun 0"]


def test_a_retry_may_overlap_the_attempt_that_was_abandoned_and_only_its_own_outcome_counts() -> None:
    stuck = Stuck()
    seen: list[str] = []

    def work() -> str:
        if milo.current_phase().attempt == 1:
            return stuck()
        assert not stuck.ended[0].is_set()
        stuck.release.set()
        assert stuck.ended[0].wait(WAIT_S)
        seen.append("second")
        return "in time"

    pipeline = Pipeline(
        "p",
        Phase("it", work, timeout=600, policy=PhasePolicy("retry", 1, 0.0)),
        capture_output=True,
    )
    result = in_thread(Session(pipeline, max_workers=1, clock=stuck.clock).run)
    assert (result.results, seen) == ({"it": "in time"}, ["second"])
    assert [log.line for log in result.state.phase("it").logs] == ["begun 0"]
    assert result.state.phase("it").attempt == 2


def test_a_phase_that_times_out_leaves_the_others_their_workers() -> None:
    stuck = Stuck()
    both = threading.Barrier(2)
    pipeline = Pipeline(
        "p",
        Phase("stuck", stuck, parallel=True, weight=9, timeout=600),
        Phase("a", lambda: both.wait(WAIT_S), parallel=True),
        Phase("b", lambda: both.wait(WAIT_S), parallel=True),
    )
    result = in_thread(Session(pipeline, max_workers=2, keep_going=True, clock=stuck.clock).run)
    assert [phase.status for phase in result.state.phases] == ["failed", "completed", "completed"]
    stuck.release.set()


FOUR = """
import asyncio, time
import milo
from milo import Phase, Pipeline

async def coroutine():
    await asyncio.sleep(300)

async def cleans_up():
    try:
        await asyncio.sleep(300)
    finally:
        await asyncio.sleep(0.1)
        print("cleaned up", flush=True)

handlers = {
    "shell": milo.shell("trap '' TERM; sleep 300; sleep 300"),
    "thread": lambda: time.sleep(300),
    "coroutine": coroutine,
    "cleans_up": cleans_up,
}
phases = [Phase(name, handler, parallel=True, timeout=1) for name, handler in handlers.items()]
result = milo.run(Pipeline("p", *phases), max_workers=4, keep_going=True)
print(sorted({phase.error for phase in result.state.phases}), result.state.status, flush=True)
"""


@needs_shell
def test_four_kinds_of_handlers_end_at_their_limit_and_the_process_with_them() -> None:
    """A shell that ignores SIGTERM, a sleeping thread, a coroutine, and one that cleans up: all would take 300 s."""
    with in_process(FOUR) as process:
        try:
            out, errors = process.communicate(timeout=2 * WAIT_S)
        finally:
            process.kill()
    assert out == "cleaned up\n['timed out after 1 s'] failed\n"
    assert (errors, process.returncode) == ("", 0)


@needs_shell
def test_a_shell_that_is_stopped_at_its_limit_says_what_it_wrote_until_then() -> None:
    clock = LimitsByHand()

    def middleware(next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            if action.type == PHASE_LOG:
                clock.up()
            return next_dispatch(action)

        return dispatch

    pipeline = one(milo.shell("echo begun; sleep 600"), timeout=600)
    result = in_thread(Session(pipeline, clock=clock, middleware=[middleware]).run)
    assert result.state.phase("it").error == "timed out after 600 s"
    assert [log.line for log in result.state.phase("it").logs] == ["begun"]


@needs_proc
def test_a_background_process_that_a_command_leaves_behind_ends_with_the_run() -> None:
    """The run waits until it has gone, though it ignores the polite signal."""
    phase = Phase("starts", lambda: int(milo.sh("trap '' TERM; sleep 600 >&- 2>&- & echo $!").stdout))
    result = in_thread(lambda: milo.run(Pipeline("p", phase), grace=0.2))
    assert result.ok
    assert not running(result.results["starts"])


# Programs with commands


SYNC = """
try:
    milo.run(pipeline, grace=0.5, on_state=states.append)
except KeyboardInterrupt:
    print("raised again", states[-1].status, states[-1].phase("tree").status, flush=True)
"""
HANDLED = """
state = milo.run(pipeline, grace=0.5, handle_signals=True).state
print("returned", state.status, state.phase("tree").status, flush=True)
"""
ASYNC = """
import asyncio
try:
    asyncio.run(milo.arun(pipeline, grace=0.5, on_state=states.append))
except KeyboardInterrupt:
    print("raised again", states[-1].status, states[-1].phase("tree").status, flush=True)
"""
THREAD = """
import signal, threading
before = signal.signal(signal.SIGINT, lambda number, frame: session.cancel())
session = milo.session.Session(pipeline, grace=0.5)
thread = threading.Thread(target=lambda: states.append(session.run().state))
thread.start()
thread.join()
print("returned", states[-1].status, states[-1].phase("tree").status, flush=True)
"""


@needs_proc
@pytest.mark.parametrize(
    ("program", "last"),
    [
        (SYNC, "raised again cancelled cancelled"),
        (HANDLED, "returned cancelled cancelled"),
        (ASYNC, "raised again cancelled cancelled"),
        (THREAD, "returned cancelled cancelled"),
    ],
    ids=["run", "handle_signals", "arun", "thread"],
)
def test_ctrl_c_in_a_program_leaves_no_process_of_a_stubborn_tree(program: str, last: str) -> None:
    """Whichever way the program runs its pipeline, and before the run returns."""
    mark = Mark()
    source = f"""
import milo, milo.session
states = []
pipeline = milo.Pipeline("p", milo.Phase("tree", milo.shell({STUBBORN!r})))
{program}"""
    with in_process(source, mark=mark.env) as process:
        try:
            assert eventually(lambda: len(mark.processes()) > 5)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert (out, errors, process.returncode) == (f"{last}\n", "", 0)
    assert mark.gone()
