"""A worker process that has to be ended, or ends when it should not."""

from __future__ import annotations

import errno
import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import milo
from milo import Phase, Pipeline
from milo.execution import program
from milo.execution.placement import WorkerError
from milo.execution.processes import handle as process_handle
from milo.execution.processes.handle import Worker
from milo.execution.remote import opened_outcome, packed_errand
from tests.execution import elsewhere
from tests.execution.runs import SKIP, lines, run
from tests.execution.watching import Mark, eventually, needs_proc, work_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


@needs_proc
@pytest.mark.parametrize("handler", [elsewhere.busy, elsewhere.runs_a_command])
def test_a_process_is_ended_at_its_limit_with_all_that_it_has_started(
    handler: Callable[[], None], mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mark.env.items():
        monkeypatch.setenv(name, value)
    result = run(
        Phase("a", handler, timeout=0.5, policy=SKIP, parallel=True),
        Phase("b", elsewhere.pid, parallel=True),
        grace=0.5,
    )
    assert result.ok
    assert "timed out after 0.5 s" in result.state.phase("a").error
    assert eventually(mark.gone)


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (elsewhere.killed, "was ended by SIGKILL before the phase was done. Somebody has killed it"),
        (elsewhere.exits, "exited with status 3 before the phase was done."),
        (elsewhere.segfaults, "was ended by SIGSEGV before the phase was done."),
    ],
)
def test_a_worker_that_dies_fails_its_own_phase_alone(handler: Callable[[], None], told: str) -> None:
    result = run(
        Phase("dies", handler, policy=SKIP, parallel=True),
        *(Phase(f"n{number}", elsewhere.pid, parallel=True) for number in range(20)),
        max_workers=3,
    )
    assert result.ok
    assert told in result.state.phase("dies").error
    assert len(result.results) == 20


def test_a_worker_that_hangs_up_and_goes_on_is_ended_and_says_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that somebody has killed it, though milo does."""
    monkeypatch.setattr(process_handle, "_LEAVE_S", 0.01)
    error = run(Phase("a", elsewhere.hangs_up)).state.phase("a").error
    assert "It had closed its connection to the run" in error
    assert "memory" not in error


def test_an_attempt_whose_output_cannot_be_passed_on_takes_its_worker_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its outcome must not be taken for that of the next one."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Broken())
    pipeline = Pipeline(
        "p", Phase("a", elsewhere.prints, policy=SKIP), Phase("b", elsewhere.pid, depends_on=("a",))
    )
    result = milo.run(pipeline, executor="processes")
    assert "cannot be passed on to stdout: [Errno 32] Broken pipe" in result.state.phase("a").error
    assert isinstance(result.results["b"], int)


def test_last_words_arrive() -> None:
    assert lines(run(Phase("a", elsewhere.killed, policy=SKIP)), "a") == ["last words"]


def test_a_worker_that_cannot_be_started_fails_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    result = run(Phase("a", elsewhere.pid))
    assert "A worker process cannot be started: No such file" in result.state.phase("a").error


@needs_proc
def test_a_worker_that_cannot_be_watched_is_not_left_behind(
    mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in mark.env.items():
        monkeypatch.setenv(variable, value)

    def refused(pid: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(process_handle, "exit_notice", refused)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(WorkerError, match="A worker process cannot be started: Too many open files"):
        Worker()
    assert mark.gone()
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_worker_that_ends_before_it_is_ready_fails_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_START", "import sys; sys.exit('no milo here')")
    result = run(Phase("a", elsewhere.pid))
    error = result.state.phase("a").error
    assert "A worker process did not start: it exited with status 1. It wrote: no milo here" in error


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [("returns", 0, "the fork's"), ("exits", 7, None), ("raises", 1, "ValueError: the fork's")],
)
def test_what_a_handler_forks_is_no_second_worker(name: str, status: int, told: str | None) -> None:
    """Its end is its own: neither the outcome of the phase, nor a taker of the next one."""
    result = run(Phase(name, elsewhere.forks, timeout=20.0), Phase("b", elsewhere.pid, depends_on=(name,)))
    assert result.results[name] == f"parent of one that ended with {status}"
    assert isinstance(result.results["b"], int)
    printed = [log.line for log in result.state.phase(name).logs]
    assert printed[-1:] == ([told] if told else [])


@needs_proc
def test_a_fork_that_is_left_behind_ends_with_the_run(mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in mark.env.items():
        monkeypatch.setenv(variable, value)
    result = run(Phase("a", elsewhere.leaves_a_fork), Phase("b", elsewhere.pid, depends_on=("a",)))
    assert result.ok
    assert eventually(mark.gone)


def test_what_was_told_before_an_attempt_is_cancelled_counts(tmp_path: Path) -> None:
    """Also where it was not read yet."""
    lines: list[str] = []
    job: Any = SimpleNamespace(cancelled=False, linger=30.0, on_cancel=lambda callback: lambda: None)

    def emit(job: Any, stream: str, line: str) -> None:
        lines.append(line)
        if line == "before":
            (tmp_path / "heard").touch()
            assert eventually(worker._has_message)
            job.cancelled = True

    work = work_of(elsewhere.listens_after, emit, tmp_path / "heard")
    worker = Worker()
    try:
        outcome = worker.run(work, job, packed_errand(work, job, pickle.dumps, "a process"))
        assert opened_outcome("a", outcome) is None
    finally:
        worker.end()
    assert lines == ["before", "listening", "heeded"]


def test_whoever_writes_without_end_does_not_hold_up_the_end_of_an_attempt() -> None:
    """What was written before the outcome is in the pipe, which holds no more than this."""
    job: Any = SimpleNamespace(cancelled=False, linger=0.0, on_cancel=lambda callback: lambda: None)
    size = [0]
    work = work_of(elsewhere.leaves_a_writer, lambda job, stream, line: size.append(len(line) + 1))
    worker = Worker()
    try:
        worker.run(work, job, packed_errand(work, job, pickle.dumps, "a process"))
        for outlet in worker._outlets.values():
            outlet.open(work, job)
        for _ in range(20):
            assert eventually(lambda: {each for each, _ in worker._poll.poll(0)} & set(worker._outlets))
            size.clear()
            worker._drain()
            assert 0 < sum(size) <= 65_536 + 100
    finally:
        worker.end()


def test_out_of_memory_fails_its_own_phase_alone() -> None:
    result = run(Phase("a", elsewhere.out_of_memory, policy=SKIP), Phase("b", elsewhere.pid, parallel=True))
    assert (result.ok, result.state.phase("a").error) == (True, "MemoryError")


def test_any_base_exception_fails_the_phase() -> None:
    result = run(Phase("a", elsewhere.raises_bare))
    assert (result.state.status, result.state.phase("a").error) == ("failed", "bare")


def test_everything_that_was_written_before_a_worker_dies_arrives() -> None:
    result = run(Phase("a", elsewhere.floods_and_dies, policy=SKIP, max_logs=30_000))
    assert "was ended by SIGKILL" in result.state.phase("a").error
    assert [line[:6] for line in lines(result, "a")] == [f"{number:06d}" for number in range(20_000)]


def test_there_is_nothing_to_read_on_stdin() -> None:
    assert run(Phase("a", elsewhere.reads_stdin)).results["a"] == ("", b"")


@needs_proc
def test_threads_that_a_handler_leaves_behind_end_with_the_run(
    mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in mark.env.items():
        monkeypatch.setenv(variable, value)
    result = run(Phase("a", elsewhere.leaves_threads), Phase("b", elsewhere.pid, depends_on=("a",)))
    assert result.ok
    assert eventually(mark.gone)


def test_a_worker_that_never_gets_ready_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "print('waiting', flush=True)\nimport threading\nthreading.Event().wait()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("milo.execution.processes.handle._START_S", 1.0)
    error = run(Phase("a", elsewhere.pid)).state.phase("a").error
    assert "A worker process was not ready after 1 s. It wrote: waiting" in error
    assert "such as sitecustomize" in error
