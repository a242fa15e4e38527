"""run and arun: a pipeline run from a program, on a thread or a loop, interrupted or not."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, Pipeline
from milo.errors import MiloError, StateError
from milo.session import RunResult
from milo.session.programs import hints_for_programs

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


def test_a_journal_that_is_no_path_is_refused() -> None:
    with pytest.raises(StateError, match="journal must be the path of a file, got 3"):
        milo.run(one(lambda: None), journal=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [milo.run, lambda *args, **options: asyncio.run(milo.arun(*args, **options))])
def test_what_a_journals_error_advises_is_an_argument_and_no_option(
    how: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(milo.JournalError) as refused:
        how(Pipeline("p"), journal=tmp_path)
    hint = "Name a file with journal=PATH, which is made if it does not exist."
    assert (refused.value.hint, refused.value.args[1]) == (hint, hint)


def test_every_option_that_a_journal_advises_has_its_argument() -> None:
    """Whatever hint is added there: none may speak of options to a program."""
    folder = Path(milo.__file__).parent / "journal"
    hints = [
        text
        for file in folder.glob("*.py")
        for text in re.findall(r'(?<!")"([^"\n]*--[a-z][^"\n]*)"(?!")', file.read_text("utf-8"))
    ]
    assert len(hints) > 5
    for text in hints:
        with pytest.raises(MiloError) as said, hints_for_programs():
            raise MiloError("It failed.", hint=text)
        assert "--" not in said.value.hint


def test_async_handlers_of_run_share_a_loop_of_their_own() -> None:
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    pipeline = Pipeline("p", Phase("a", loop), Phase("b", loop))
    results = milo.run(pipeline).results
    assert results["a"] == results["b"]


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


def test_signals_can_be_handled_in_the_main_thread_only(tmp_path: Path) -> None:
    """Elsewhere the run is refused before it is recorded."""
    ran: list[int] = []
    journal = tmp_path / "runs.db"
    error = in_thread(lambda: milo.run(one(lambda: ran.append(1)), handle_signals=True, journal=journal))
    assert isinstance(error, StateError)
    assert "main thread" in str(error)
    assert ran == []
    assert not journal.exists()
