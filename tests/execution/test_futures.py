"""Any concurrent.futures.Executor as the place where phases run."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline, PipelineError, current_phase
from milo.execution.away import Desk
from milo.execution.futures import FuturesPlace, _Summons
from milo.execution.placement import WorkerError
from milo.saga import Call
from milo.saga.ports import Job
from tests.execution import elsewhere
from tests.execution.runs import SKIP, cancelled_at, lines, run
from tests.execution.test_away import attempt, job
from tests.execution.watching import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    """Two processes, started clean."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Two threads."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_phases_run_in_the_pool_which_stays_open(pool: ProcessPoolExecutor) -> None:
    result = run(
        Phase("pid", elsewhere.pid), Phase("b", elsewhere.told_pid, depends_on=("pid",)), executor=pool
    )
    assert result.ok
    assert result.results["b"] != os.getpid()
    assert pool.submit(elsewhere.pid).result(60) != os.getpid()


def test_everything_that_is_written_there_becomes_lines_in_order(pool: ProcessPoolExecutor) -> None:
    result = run(Phase("a", elsewhere.prints), Phase("b", elsewhere.many_lines, max_logs=5000), executor=pool)
    assert lines(result, "a") == ["first", "second", "third", "fourth", "fifth", "sixth", "unfinished"]
    assert lines(result, "a", "stderr") == ["wrong"]
    assert lines(result, "b") == [str(number) for number in range(2000)]


def test_two_runs_use_one_pool_one_after_the_other(pool: ProcessPoolExecutor) -> None:
    for _ in range(2):
        assert lines(run(Phase("a", elsewhere.prints), executor=pool), "a")[3] == "fourth"


def test_current_phase_retries_and_coroutines_work_there(pool: ProcessPoolExecutor) -> None:
    policy = PhasePolicy("retry", 1, 0.0, retry_on=(ValueError,))
    result = run(Phase("a", elsewhere.about, policy=policy), Phase("b", elsewhere.awaited), executor=pool)
    assert result.results["a"] == ("a", 2, f"{result.run_id}:a", False)
    assert result.results["b"] == "b"


def test_a_handler_that_listens_ends_by_itself(pool: ProcessPoolExecutor) -> None:
    result = cancelled_at("listening", Phase("a", elsewhere.listens), executor=pool)
    assert lines(result, "a") == ["listening", "heeded"]


def test_a_broken_pool_fails_its_phases_with_the_reason(pool: ProcessPoolExecutor) -> None:
    result = run(
        Phase("a", elsewhere.exits, policy=SKIP),
        Phase("b", elsewhere.pid, policy=SKIP),
        Phase("c", elsewhere.pid, runs_on="process"),
        executor=pool,
    )
    assert "could not be run in ProcessPoolExecutor: BrokenProcessPool" in result.state.phase("a").error
    assert 'with executor="processes" only its own phase fails' in result.state.phase("b").error
    assert result.state.phase("c").status == "completed"


def test_a_handler_that_cannot_be_sent_is_refused(pool: ProcessPoolExecutor) -> None:
    with pytest.raises(PipelineError, match="handler of phase 'a' cannot be sent"):
        run(Phase("a", lambda: None), executor=pool)


def test_what_cannot_be_sent_fails_its_phase(pool: ProcessPoolExecutor) -> None:
    result = run(
        Phase("pid", lambda: lambda: 1, runs_on="thread"),
        Phase("b", elsewhere.told_pid, depends_on=("pid",), policy=SKIP),
        Phase("c", elsewhere.gives_unpicklable, policy=SKIP),
        executor=pool,
    )
    assert "must be sendable" in result.state.phase("b").error
    assert "result of phase 'c' cannot be sent back" in result.state.phase("c").error


def test_a_pool_of_threads_takes_any_handler(threads: ThreadPoolExecutor) -> None:
    def handler() -> object:
        print("there", end="")
        return lambda: (threading.current_thread().name, current_phase)

    result = run(Phase("a", handler), executor=threads)
    assert result.results["a"]()[1] is current_phase
    assert lines(result, "a") == ["there"]


def test_what_is_sent_and_stays_in_this_process_leaves_its_outputs_alone() -> None:
    """As in a pool of interpreters."""

    class Sending(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(pickle.loads(pickle.dumps(fn)), *args, **kwargs)

    outputs = [os.fstat(1), os.fstat(2)]
    with Sending(1) as pool:
        result = run(Phase("a", elsewhere.tells_its_outputs), executor=pool)
    assert lines(result, "a") == ["printed"]
    assert result.results["a"] == [(output.st_dev, output.st_ino) for output in outputs]


def test_handlers_run_on_the_threads_of_the_pool(threads: ThreadPoolExecutor) -> None:
    async def awaited() -> str:
        return current_phase().name

    result = run(
        Phase("a", lambda: threading.current_thread().name),
        Phase("b", awaited),
        Phase("c", elsewhere.raises_os_error, policy=SKIP),
        executor=threads,
    )
    assert result.results["a"].startswith("ThreadPoolExecutor")
    assert result.results["b"] == "b"
    assert result.state.phase("c").error == "[Errno 2] No such file: 'data.csv'"


def test_an_attempt_that_waits_in_a_busy_pool_is_withdrawn_at_its_limit(threads: ThreadPoolExecutor) -> None:
    release = threading.Event()
    ran: list[int] = []
    for _ in range(2):
        threads.submit(release.wait, 60)
    result = run(Phase("a", lambda: ran.append(1), timeout=0.1), executor=threads)
    assert "timed out after 0.1 s" in result.state.phase("a").error
    release.set()
    threads.submit(int).result(60)
    assert ran == []


def test_an_attempt_that_nobody_waits_for_any_more_does_not_begin(threads: ThreadPoolExecutor) -> None:
    """Also where a pool takes it up before it is withdrawn."""
    trip = Desk("d").open(attempt([]), job(dropped=True))
    told = _Summons(FuturesPlace(threads), trip)()
    assert str(told.error) == "Phase 'a' was given up."


@pytest.mark.parametrize("how", ["abandoned", "closed", "too late"])
def test_an_attempt_that_is_given_up_is_withdrawn_at_once(how: str) -> None:
    """Not when whoever waits for it has woken up: by then the pool may have begun it."""
    submitted: Future[Any] = Future()

    class Busy(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if how == "too late":
                job.drop()
            sent.set()
            return submitted

    sent = threading.Event()
    job = Job(None, SimpleNamespace(epoch=0), Call(int))  # type: ignore[arg-type]
    place = FuturesPlace(Busy())
    outcome: list[Any] = []
    work: Any = SimpleNamespace(name="a")
    thread = threading.Thread(target=lambda: outcome.append(_raised(lambda: place.run(work, job))))
    thread.start()
    assert sent.wait(20)
    assert eventually(lambda: job in place._futures or not thread.is_alive())
    if how == "abandoned":
        place.abandon(job)
    elif how == "closed":
        place.close()
    else:
        thread.join(20)
    assert submitted.cancelled()
    thread.join(20)
    assert str(outcome[0]) == "Phase 'a' was given up."


def _raised(call: Callable[[], Any]) -> BaseException | None:
    try:
        call()
    except WorkerError as error:
        return error
    return None


def test_a_pool_that_was_shut_down_fails_the_phase(threads: ThreadPoolExecutor) -> None:
    threads.shutdown()
    result = run(Phase("a", elsewhere.pid), executor=threads)
    assert "cannot schedule new futures after shutdown" in result.state.phase("a").error


def test_an_executor_of_ones_own_will_do() -> None:
    class Inline(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*args, **kwargs))
            return future

    assert milo.run(Pipeline("p", Phase("a", lambda: 7)), executor=Inline()).results == {"a": 7}


def test_a_pool_that_is_broken_is_known_whatever_its_error_is_called(threads: ThreadPoolExecutor) -> None:
    class TerminatedWorkerError(BrokenExecutor):
        pass

    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise TerminatedWorkerError("a worker was ended")

    threads.submit = breaks  # type: ignore[method-assign]
    error = run(Phase("a", elsewhere.pid), executor=threads).state.phase("a").error
    assert "TerminatedWorkerError: a worker was ended" in error
    assert "A worker ended, and with it the pool for good" in error
