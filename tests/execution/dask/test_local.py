"""A Dask cluster of a run's own: its processes, how they are ended, and what is left of them."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline, StateError
from milo.execution import program
from milo.execution.dask.local import LocalSource
from tests.execution import elsewhere
from tests.execution.dask import on_dask
from tests.execution.dask.on_dask import LIMIT_S, SKIP, run
from tests.execution.processes.test_place import script
from tests.execution.runs import lines, start
from tests.execution.watching import Mark, eventually, needs_proc, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


def test_phases_run_in_processes_that_are_used_again_and_end_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    for folder in (here, temporary):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    result = run(
        Phase("pid", elsewhere.pid),
        Phase("b", elsewhere.told_pid, depends_on=("pid",)),
        Phase("c", elsewhere.pid),
        executor="dask",
    )
    assert result.results["pid"] == result.results["b"] == result.results["c"] != os.getpid()
    assert eventually(lambda: not running(result.results["pid"]))
    assert [*here.iterdir(), *temporary.iterdir()] == []


def test_what_is_written_there_becomes_lines_and_nothing_else_does() -> None:
    result = run(Phase("a", elsewhere.prints), Phase("b", elsewhere.pid), executor="dask")
    assert lines(result, "a") == ["first", "second", "third", "fourth", "fifth", "sixth", "unfinished"]
    assert lines(result, "a", "stderr") == ["wrong"]
    assert lines(result, "b") == lines(result, "b", "stderr") == []


@needs_proc
def test_only_the_phase_is_affected_whose_limit_is_over(mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*next(iter(mark.env.items())))
    result = run(
        Phase("busy", on_dask.busy, timeout=1.5, policy=SKIP, parallel=True),
        *(Phase(f"p{number}", elsewhere.pid, parallel=True) for number in range(5)),
        Phase("late", elsewhere.pid, depends_on=("busy",)),
        executor="dask",
        max_workers=2,
    )
    assert result.ok
    assert "timed out after 1.5 s" in result.state.phase("busy").error
    assert {phase.attempt for phase in result.state.phases} == {1}
    assert eventually(mark.gone)


def test_a_handler_that_heeds_its_limit_is_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILO_TEST_STARTED", str(tmp_path / "started"))
    phase = Phase("a", elsewhere.heeds, timeout=LIMIT_S, policy=SKIP)
    result = run(Phase("warm", elsewhere.pid), phase, executor="dask")
    assert lines(result, "a") == ["heeded"]


def test_a_limit_that_is_over_before_there_is_a_process_ends_the_wait() -> None:
    result = run(Phase("a", elsewhere.pid, timeout=0.01, policy=SKIP), executor="dask")
    assert "timed out" in result.state.phase("a").error


@pytest.mark.parametrize(
    ("handler", "told"),
    [(elsewhere.killed, "was ended by SIGKILL"), (elsewhere.exits, "exited with status 3")],
)
def test_a_worker_that_ends_fails_its_phase_which_says_how(handler: object, told: str) -> None:
    result = run(
        Phase("dies", handler, policy=SKIP, parallel=True),  # type: ignore[arg-type]
        Phase("b", elsewhere.pid, depends_on=("dies",)),
        executor="dask",
        max_workers=1,
    )
    assert result.ok
    assert f"{told} before phase 'dies' was done" in result.state.phase("dies").error


def test_a_process_that_does_not_start_fails_the_phase_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_START", "import sys; sys.exit('no milo here')")
    result = run(Phase("a", elsewhere.pid), executor="dask")
    error = result.state.phase("a").error
    assert "A Dask worker process did not start: it exited with status 1. It wrote: no milo here" in error


def test_a_process_that_does_not_get_ready_is_ended_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_START", "import time; time.sleep(1000)")
    monkeypatch.setattr(LocalSource, "start_s", 0.2)
    result = run(Phase("a", elsewhere.pid), executor="dask")
    assert "A Dask worker process was not ready within 0.2 s" in result.state.phase("a").error


def test_a_process_that_cannot_be_started_fails_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    result = run(Phase("a", elsewhere.pid), executor="dask")
    assert "A Dask worker process cannot be started: No such file" in result.state.phase("a").error


def test_workers_may_be_killed_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILO_TEST_FOLDER", str(tmp_path))
    policy = PhasePolicy("retry", 20, 0.0)
    seen: list[int] = []

    def on_state(state: milo.PipelineState) -> None:
        done = sum(phase.status == "completed" for phase in state.phases)
        if done >= 8 * (len(seen) + 1):
            seen.append(done)
            threading.Thread(target=kill_one).start()

    def kill_one() -> None:
        path = max(tmp_path.glob("pid-*"), key=lambda path: path.stat().st_mtime)
        with suppress(ProcessLookupError):  # the one before was killed only now
            os.kill(int(path.name.removeprefix("pid-")), signal.SIGKILL)

    phases = [Phase(f"p{number}", on_dask.notes_pid, policy=policy, parallel=True) for number in range(40)]
    result = milo.run(Pipeline("p", *phases), executor="dask", max_workers=2, on_state=on_state)
    assert result.ok
    assert result.results == {phase.name: phase.name * 3 for phase in phases}
    assert len(seen) >= 3
    for phase in result.state.phases:
        # Attempts are numbered by the run: one that Dask had begun again would be there twice.
        noted = (tmp_path / phase.name).read_text().split()
        assert noted == sorted(set(noted), key=int)
        assert int(noted[-1]) == phase.attempt


def test_handlers_of_the_program_itself_are_found(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "program.py",
        """
        if __name__ == "__main__":
            alone = Pipeline("p", Phase("answer", answer), Phase("there", lambda: Answer))
            results = run(alone, executor="dask").results
            assert isinstance(results["answer"], Answer), results
            assert results["there"] is Answer
        """,
    )
    process = start(path)
    assert process.communicate(timeout=60) == ("", None)
    assert process.returncode == 0


def test_a_program_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    process = start(
        script(
            tmp_path,
            "program.py",
            'print(run(Pipeline("p", Phase("a", answer)), executor="dask").state.phases[0].error)',
        )
    )
    told = process.communicate(timeout=60)[0]
    assert 'Start it under `if __name__ == "__main__":`' in told


@pytest.mark.parametrize("own", [True, False])
def test_a_pipeline_that_was_loaded_from_a_path_finds_its_module(
    tmp_path: Path, dask_cluster: str, own: bool
) -> None:
    path = tmp_path / "with-dash.py"
    path.write_text(
        "from milo import Phase, Pipeline\nclass Answer: pass\ndef a(): return Answer()\n"
        "def b(a): print(type(a) is Answer)\n"
        "pipeline = Pipeline('p', Phase('a', a), Phase('b', b, depends_on=('a',)), capture_output=True)\n"
    )
    program = (
        "import milo; from milo.cli.loading import load_pipeline\n"
        f"result = milo.run(load_pipeline({str(path)!r}), executor={'dask' if own else dask_cluster!r})\n"
        "print(result.state.phase('b').error, [each.line for each in result.state.phase('b').logs])"
    )
    process = start("-c", program)
    assert process.communicate(timeout=60)[0] == " ['True']\n"


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_a_program_that_is_ended(tmp_path: Path, mark: Mark, how: signal.Signals) -> None:
    path = script(
        tmp_path,
        "program.py",
        """
        if __name__ == "__main__":
            run(waiting, executor="dask", grace=1.0)
        """,
    )
    process = start(path, tmp_path / "started", env=mark.env)
    assert eventually((tmp_path / "started").exists)
    assert len(mark.processes()) >= 2
    process.send_signal(how)
    told = process.communicate(timeout=60)[0]
    assert ("KeyboardInterrupt" in told) == (how == signal.SIGINT)
    assert "distributed" not in told
    assert eventually(mark.gone)


@needs_proc
def test_it_is_reachable_from_this_machine_alone(tmp_path: Path) -> None:
    listening = run(Phase("a", on_dask.listening), executor="dask").results["a"]
    assert listening
    assert all(address.startswith("0100007F:") for address in listening)


def test_a_folder_that_cannot_be_made_refuses_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StateError, match=r"A Dask cluster cannot be started: No such file.*TMPDIR"):
        run(Phase("a", elsewhere.pid), executor="dask")
    assert not [thread for thread in threading.enumerate() if thread.name == "milo-dask"]
