"""Phases on a Dask cluster of somebody else's: what they see, what is seen of them, and what becomes of them."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from milo import Phase, PhasePolicy, PipelineError
from tests.execution import elsewhere
from tests.execution.dask import on_dask
from tests.execution.dask.on_dask import LIMIT_S, SKIP, run
from tests.execution.runs import lines, start
from tests.execution.watching import eventually, needs_proc, running

WARM = Phase("warm", elsewhere.pid)
"""After it there is a thread that is held, of a worker that has loaded what it needs."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


def test_phases_run_on_the_workers_which_go_on(dask_cluster: str) -> None:
    for _ in range(2):
        result = run(
            Phase("pid", elsewhere.pid),
            Phase("b", elsewhere.told_pid, depends_on=("pid",)),
            executor=dask_cluster,
        )
        assert result.ok
        assert result.results["b"] != os.getpid()


def test_everything_that_is_written_there_becomes_lines_in_order(dask_cluster: str) -> None:
    result = run(
        Phase("a", elsewhere.prints),
        Phase("b", elsewhere.many_lines, max_logs=5000),
        executor=dask_cluster,
    )
    assert lines(result, "a") == ["first", "second", "third", "fourth", "fifth", "sixth", "unfinished"]
    assert lines(result, "a", "stderr") == ["wrong"]
    assert lines(result, "b") == [str(number) for number in range(2000)]
    assert lines(result, "b", "stderr") == []


def test_what_dask_logs_meanwhile_is_not_the_phases(dask_cluster: str) -> None:
    result = run(Phase("a", on_dask.logs), Phase("b", on_dask.logs), executor=dask_cluster)
    for name in ("a", "b"):
        assert lines(result, name, "stderr") == ["the handler's own"]


def test_a_phase_that_prints_very_much_loses_nothing(dask_cluster: str) -> None:
    result = run(Phase("a", on_dask.chatters, max_logs=200_000), executor=dask_cluster)
    assert lines(result, "a") == [f"line {number}" for number in range(100_000)]


def test_current_phase_retries_and_coroutines_work_there(dask_cluster: str) -> None:
    policy = PhasePolicy("retry", 1, 0.0, retry_on=(ValueError,))
    result = run(
        Phase("a", elsewhere.about, policy=policy), Phase("b", elsewhere.awaited), executor=dask_cluster
    )
    assert result.results["a"] == ("a", 2, f"{result.run_id}:a", False)
    assert result.results["b"] == "b"


def test_large_results_travel(dask_cluster: str) -> None:
    result = run(
        Phase("gives_large", on_dask.large),
        Phase("b", elsewhere.takes_large, depends_on=("gives_large",)),
        executor=dask_cluster,
    )
    assert result.results["b"] == 3_000_000


def test_errors_come_back_as_what_they_are(dask_cluster: str) -> None:
    result = run(
        Phase("a", elsewhere.raises_os_error, policy=SKIP),
        Phase("b", elsewhere.raises_unreadable, policy=SKIP),
        Phase("c", elsewhere.raises_system_exit, policy=PhasePolicy("stop")),
        executor=dask_cluster,
    )
    assert result.state.phase("a").error == "[Errno 2] No such file: 'data.csv'"
    assert result.state.phase("b").error == "UnreadableError: one and two"
    assert result.state.phase("c").error == "SystemExit: enough"


def test_functions_go_along_that_are_in_no_module(dask_cluster: str) -> None:
    class Answer:
        value = 7

    result = run(Phase("a", lambda: Answer()), executor=dask_cluster)
    assert type(result.results["a"]) is Answer


def test_a_handler_that_cannot_be_sent_is_refused_before_anything_runs(dask_cluster: str) -> None:
    lock = threading.Lock()
    ran: list[int] = []
    with pytest.raises(PipelineError, match="handler of phase 'b' cannot be sent to a Dask worker"):
        run(
            Phase("a", lambda: ran.append(1), runs_on="thread"),
            Phase("b", lambda: lock),
            executor=dask_cluster,
        )
    assert not ran


def test_what_cannot_be_sent_fails_its_phase(dask_cluster: str) -> None:
    result = run(
        Phase("pid", threading.Lock, runs_on="thread"),
        Phase("b", elsewhere.told_pid, depends_on=("pid",), policy=SKIP),
        Phase("c", threading.Lock, policy=SKIP),
        executor=dask_cluster,
    )
    assert "What phase 'b' is given cannot be sent to a Dask worker" in result.state.phase("b").error
    assert "The result of phase 'c' cannot be sent back" in result.state.phase("c").error


@pytest.mark.parametrize("handler", [elsewhere.killed, elsewhere.exits, elsewhere.segfaults])
def test_a_worker_that_ends_fails_what_it_ran_and_the_others_go_on(dask_cluster: str, handler: Any) -> None:
    result = run(
        Phase("dies", handler, policy=SKIP, parallel=True),
        *(Phase(f"p{number}", elsewhere.pid, parallel=True) for number in range(10)),
        executor=dask_cluster,
    )
    assert result.ok
    assert len(result.results) == 10
    error = result.state.phase("dies").error
    assert error.startswith("The Dask worker tcp://127.0.0.1:")
    assert "ended or was restarted before phase 'dies' was done" in error


def test_an_attempt_after_the_death_of_its_worker_gets_another_one(dask_cluster: str) -> None:
    policy = PhasePolicy("retry", 1, 0.0)
    result = run(Phase("a", elsewhere.once_then_fine, policy=policy), executor=dask_cluster)
    assert result.results["a"] == "fine"
    assert result.state.phase("a").attempt == 2


def test_a_handler_that_heeds_its_limit_ends_by_itself(
    dask_cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heeds() -> None:
        os.environ["MILO_TEST_STARTED"] = str(tmp_path / "started")
        elsewhere.heeds()

    result = run(WARM, Phase("a", heeds, timeout=LIMIT_S, policy=SKIP), executor=dask_cluster)
    assert lines(result, "a") == ["heeded"]
    assert "timed out" in result.state.phase("a").error


def test_one_that_does_not_is_told_and_abandoned(dask_cluster: str, tmp_path: Path) -> None:
    told = tmp_path / "told"

    def stubborn() -> None:
        on_dask.stubborn(str(told))

    result = run(
        WARM,
        Phase("a", stubborn, timeout=LIMIT_S, policy=SKIP),
        Phase("b", elsewhere.pid),
        executor=dask_cluster,
    )
    assert result.ok
    assert "timed out after 2 s" in result.state.phase("a").error
    assert eventually(told.exists)


@needs_proc
def test_a_command_there_is_ended_at_its_limit(dask_cluster: str) -> None:
    phase = Phase("a", on_dask.commands, timeout=LIMIT_S, policy=SKIP)
    result = run(WARM, phase, grace=0.5, executor=dask_cluster)
    assert "timed out" in result.state.phase("a").error
    (pid,) = lines(result, "a")
    assert eventually(lambda: not running(int(pid)))


def test_a_coroutine_there_is_cancelled_at_its_limit(dask_cluster: str) -> None:
    result = run(WARM, Phase("a", on_dask.sleeps, timeout=LIMIT_S, policy=SKIP), executor=dask_cluster)
    assert "timed out" in result.state.phase("a").error
    assert lines(result, "a") == ["cancelled"]


def test_an_attempt_whose_task_somebody_has_cancelled_fails_and_says_so(
    dask_cluster: str, tmp_path: Path
) -> None:
    def cancel() -> None:
        from distributed import Client, Future

        assert eventually(started.exists)
        with Client(dask_cluster.removeprefix("dask:"), set_as_default=False) as client:

            def keys(dask_scheduler: Any) -> list[str]:
                return [key for key in dask_scheduler.tasks if str(key).startswith("milo-")]

            client.cancel([Future(key, client) for key in client.run_on_scheduler(keys)], force=True)

    started, told = tmp_path / "started", tmp_path / "told"
    result = run(
        Phase("a", functools.partial(on_dask.stubborn, str(told), str(started)), parallel=True, policy=SKIP),
        Phase("cancel", cancel, parallel=True, runs_on="thread"),
        Phase("b", elsewhere.pid, depends_on=("a", "cancel")),
        executor=dask_cluster,
    )
    assert "gave phase 'a' up before it was done" in result.state.phase("a").error
    assert eventually(told.exists)
    assert result.ok


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_attempt_is_told_when_its_run_is_ended(
    dask_cluster: str, tmp_path: Path, how: signal.Signals
) -> None:
    program = (
        "import functools, sys, milo; from tests.execution.dask.on_dask import stubborn\n"
        "handler = functools.partial(stubborn, sys.argv[2], sys.argv[3])\n"
        "pipeline = milo.Pipeline('p', milo.Phase('a', handler))\n"
        "milo.run(pipeline, executor=sys.argv[1], grace=0.5)"
    )
    started, told = tmp_path / "started", tmp_path / "told"
    env = {"PYTHONPATH": str(on_dask.SUITE)}
    process = start("-c", program, dask_cluster, told, started, env=env)
    assert eventually(started.exists)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert eventually(told.exists)
    assert run(Phase("a", elsewhere.pid), executor=dask_cluster).ok


def test_a_worker_that_takes_too_much_memory_fails_its_phase(tmp_path: Path) -> None:
    with (
        on_dask.scheduler() as (_, address),
        on_dask.workers(address, tmp_path, "--nthreads", 1, "--memory-limit", "300MB"),
    ):
        result = run(Phase("a", on_dask.eats_memory), executor=f"dask:{address}")
    assert "before phase 'a' was done" in result.state.phase("a").error


def test_no_two_attempts_run_on_one_thread_and_none_runs_twice(dask_cluster: str, tmp_path: Path) -> None:
    def attempts() -> str:
        os.environ["MILO_TEST_FOLDER"] = str(tmp_path)
        return on_dask.attempts()

    result = run(
        *(Phase(f"p{number}", attempts, parallel=True) for number in range(20)), executor=dask_cluster
    )
    assert result.ok
    assert {path.read_text() for path in tmp_path.iterdir()} == {"1\n"}
    assert len(list(tmp_path.iterdir())) == 20
