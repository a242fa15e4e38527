"""Phases in processes of their own: what they see, what is seen of them, and what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline, PipelineError
from milo.execution.placement import WorkerError
from milo.execution.processes.place import ProcessPlace, check_picklable
from milo.saga import Call
from milo.saga.ports import Job
from tests.execution import elsewhere
from tests.execution.runs import SKIP, cancelled_at, lines, run, start
from tests.execution.watching import Mark, eventually, needs_proc, running, work_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


def test_phases_run_in_another_process_which_is_used_again() -> None:
    result = run(
        Phase("pid", elsewhere.pid),
        Phase("second", elsewhere.pid),
        Phase("told", elsewhere.told_pid, depends_on=("pid",)),
    )
    pids = list(result.results.values())
    assert result.ok
    assert pids[0] != os.getpid()
    assert len(set(pids)) == 1


def test_one_phase_runs_in_a_process_and_the_others_do_not() -> None:
    result = run(Phase("a", elsewhere.pid, runs_on="process"), Phase("b", lambda: os.getpid()), executor=None)
    assert result.results["a"] != os.getpid() == result.results["b"]


def test_one_phase_stays_in_this_process_and_the_others_do_not() -> None:
    result = run(Phase("a", elsewhere.pid), Phase("b", lambda: os.getpid(), runs_on="thread"))
    assert result.results["a"] != os.getpid() == result.results["b"]


def test_everything_it_writes_becomes_its_lines_in_order() -> None:
    result = run(Phase("a", elsewhere.prints))
    assert result.ok
    assert lines(result, "a") == ["first", "second", "third", "fourth", "fifth", "sixth", "unfinished"]
    assert lines(result, "a", "stderr") == ["wrong"]


def test_printed_and_logged_lines_keep_their_order() -> None:
    result = run(Phase("a", elsewhere.many_lines, max_logs=5000))
    assert lines(result, "a") == [str(number) for number in range(2000)]


def test_output_that_is_not_captured_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    milo.run(Pipeline("p", Phase("a", elsewhere.prints)), executor="processes")
    told = capsys.readouterr()
    # What current_phase().log and sh tell are log lines in any case.
    assert told.out == "first\nsecond\nthird\nsixth\nunfinished"
    assert told.err == "wrong\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_text_arrives_whatever_the_program_prints_in(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    result = run(Phase("a", elsewhere.prints_any_text))
    assert lines(result, "a") == [r"ä\udc80"]
    assert lines(result, "a", "stderr") == ["ö"]


@needs_proc
def test_a_line_is_there_while_the_handler_runs() -> None:
    """Also that of a command, which goes on until the line has come."""
    result = cancelled_at("ready", Phase("a", elsewhere.runs_a_command), grace=0.5)
    assert lines(result, "a") == ["ready"]


def test_current_phase_is_there_and_retries_count() -> None:
    policy = PhasePolicy("retry", 1, 0.0, retry_on=(ValueError,))
    result = run(Phase("a", elsewhere.about, policy=policy))
    assert result.results["a"] == ("a", 2, f"{result.run_id}:a", False)


def test_async_handlers_are_awaited_there() -> None:
    assert run(Phase("a", elsewhere.awaited)).results["a"] == "a"


def test_a_handler_that_listens_ends_by_itself() -> None:
    assert lines(cancelled_at("listening", Phase("a", elsewhere.listens)), "a") == ["listening", "heeded"]


def test_an_attempt_after_the_death_of_its_worker_gets_another_one() -> None:
    result = run(Phase("a", elsewhere.once_then_fine, policy=PhasePolicy("retry", 1, 0.0)))
    assert result.results["a"] == "fine"


def test_errors_come_back_as_what_they_are() -> None:
    result = run(
        Phase(
            "a", elsewhere.raises_os_error, policy=PhasePolicy("retry", 1, 0.0, retry_on=OSError, then="skip")
        ),
        Phase("b", elsewhere.raises_unreadable, policy=SKIP),
        Phase("c", elsewhere.gives_unpicklable, policy=SKIP),
        Phase(
            "e",
            elsewhere.raises_two_parts,
            policy=PhasePolicy("retry", 1, 0.0, retry_on=elsewhere.TwoPartError, then="skip"),
        ),
        Phase("d", elsewhere.raises_system_exit),
    )
    state = result.state
    assert (state.phase("a").attempt, state.phase("a").error) == (2, "[Errno 2] No such file: 'data.csv'")
    assert state.phase("b").error == "UnreadableError: one and two"
    assert "The result of phase 'c' cannot be sent back" in state.phase("c").error
    assert "Return plain data" in state.phase("c").error
    assert (state.phase("e").attempt, state.phase("e").error) == (2, "part 2")
    assert (state.phase("d").status, state.phase("d").error) == ("failed", "SystemExit: enough")


def test_a_value_whose_own_code_exits_is_an_error_like_any_other() -> None:
    """It ends neither the worker nor the policy."""
    result = run(
        Phase("a", elsewhere.gives_unsendable, policy=SKIP),
        Phase("b", elsewhere.gives_unreadable, policy=SKIP),
        Phase("c", elsewhere.gives_unsendable, policy=SKIP, runs_on="thread"),
        Phase("d", elsewhere.takes_any, policy=SKIP, depends_on=("c",)),
    )
    errors = [phase.error for phase in result.state.phases]
    assert result.ok
    assert errors[0].startswith("The result of phase 'a' cannot be sent back: SystemExit: not this.")
    assert errors[1].startswith("What phase 'b' sent back cannot be read here: SystemExit: not here.")
    assert errors[3].startswith("What phase 'd' is given cannot be sent to a process: SystemExit: not this.")


def test_large_results_travel() -> None:
    result = run(
        Phase("gives_large", elsewhere.gives_large),
        Phase("b", elsewhere.takes_large, depends_on=("gives_large",)),
    )
    assert result.results["b"] == 3_000_000


def test_a_handler_that_cannot_be_sent_is_refused_before_anything_runs() -> None:
    ran: list[int] = []
    with pytest.raises(PipelineError, match="handler of phase 'b' cannot be sent to a process") as refused:
        run(Phase("a", lambda: ran.append(1), runs_on="thread"), Phase("b", lambda: None))
    assert 'or give the phase runs_on="thread"' in str(refused.value)
    assert not ran


def test_what_a_phase_is_given_and_cannot_be_sent_fails_it_with_the_reason() -> None:
    result = run(
        Phase("pid", lambda: lambda: 1, runs_on="thread"),
        Phase("b", elsewhere.told_pid, depends_on=("pid",)),
    )
    assert "What phase 'b' is given cannot be sent to a process" in result.state.phase("b").error


def test_a_handler_that_was_defined_in_no_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    main = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec("def typed(): pass", vars(main))
    with pytest.raises(PipelineError, match="was not defined in a file"):
        check_picklable("a", vars(main)["typed"])


@pytest.mark.parametrize(
    ("arguments", "reason"), [(["-"], "was not defined in a file"), (["-m", "tool"], "in a __main__.py")]
)
def test_a_handler_of_a_program_that_no_worker_can_load_is_refused(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    program = (
        "import milo\n"
        "def handler(): return 7\n"
        "try: milo.run(milo.Pipeline('p', milo.Phase('a', handler)), executor='processes')\n"
        "except milo.PipelineError as refused: print(refused)\n"
    )
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "__main__.py").write_text(program)
    ran = subprocess.run(
        [sys.executable, *arguments], input=program, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert reason in ran.stdout, ran.stderr


def test_a_pool_whose_processes_are_forks_may_have_what_a_main_module_defines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main = type(sys)("__main__")
    main.__file__ = "<stdin>"
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec("def typed(): pass", vars(main))
    check_picklable("a", vars(main)["typed"], forks=True)
    with pytest.raises(PipelineError, match="was not defined in a file"):
        check_picklable("a", vars(main)["typed"])


SCRIPT = """
    import os, sys, time
    from pathlib import Path
    from milo import Phase, Pipeline, run

    class Answer:
        pass

    def answer():
        return Answer()

    def wait():
        Path(sys.argv[1]).touch()
        time.sleep(1000)

    pipeline = Pipeline("p", Phase("answer", answer, runs_on="process"))
    waiting = Pipeline("w", *(Phase(f"w{number}", wait, parallel=True) for number in range(2)))
"""


def script(tmp_path: Path, name: str, rest: str = "") -> Path:
    path = tmp_path / name
    path.write_text(textwrap.dedent(SCRIPT) + textwrap.dedent(rest))
    return path


def test_handlers_of_the_program_itself_are_found(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "program.py",
        """
        if __name__ == "__main__":
            assert isinstance(run(pipeline).results["answer"], Answer)
        """,
    )
    process = start(path)
    assert process.communicate(timeout=60) == ("", None)
    assert process.returncode == 0


def test_a_program_that_was_started_without_standard_streams_has_workers(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "program.py",
        """
        if __name__ == "__main__":
            state = run(pipeline).state
            Path(sys.argv[1]).write_text(state.status + state.phases[0].error)
        """,
    )
    closed = 'exec "$0" "$@" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", closed, sys.executable, path, tmp_path / "told"], timeout=60, check=True)
    assert (tmp_path / "told").read_text() == "completed"


def test_a_program_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    process = start(script(tmp_path, "program.py", "print(run(pipeline).state.phases[0].error)"))
    told = process.communicate(timeout=60)[0]
    assert 'Start it under `if __name__ == "__main__":`' in told


def test_a_pipeline_that_was_loaded_from_a_path_finds_its_module(tmp_path: Path) -> None:
    for name in ("plain_name.py", "queue.py", "with-dash.py"):
        process = start("-m", "milo", "run", "--plain", script(tmp_path, name))
        assert "completed" in process.communicate(timeout=60)[0]
        assert process.returncode == 0


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_a_program_that_is_ended(tmp_path: Path, mark: Mark, how: signal.Signals) -> None:
    path = script(
        tmp_path,
        "program.py",
        """
        if __name__ == "__main__":
            run(waiting, executor="processes", grace=1.0)
        """,
    )
    process = start(path, tmp_path / "started", env=mark.env)
    assert eventually((tmp_path / "started").exists)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert eventually(mark.gone)


@needs_proc
def test_no_worker_is_left_when_the_run_has_ended() -> None:
    result = run(Phase("a", elsewhere.pid))
    assert not running(result.results["a"])


@needs_proc
@pytest.mark.parametrize("handler", [elsewhere.pid, elsewhere.leaves_a_daemon])
def test_an_idle_worker_that_was_killed_is_nobodys_failure(
    handler: Callable[[], int], mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where what it has forked lives on."""
    for variable, value in mark.env.items():
        monkeypatch.setenv(variable, value)

    def kill(a: int) -> None:
        os.kill(a, signal.SIGKILL)
        assert eventually(lambda: not running(a))

    try:
        result = run(
            Phase("a", handler),
            Phase("kill", kill, depends_on=("a",), runs_on="thread"),
            Phase("b", elsewhere.pid, depends_on=("kill",)),
        )
    finally:
        for left in mark.processes():
            os.kill(left, signal.SIGKILL)
    assert result.ok
    assert result.results["a"] != result.results["b"]


@needs_proc
def test_an_attempt_that_is_given_up_is_killed_even_where_a_line_of_it_is_held_up(
    mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a view that is stuck, or by somebody who does not read on."""
    for variable, value in mark.env.items():
        monkeypatch.setenv(variable, value)
    held, release = threading.Event(), threading.Event()

    def emit(job: object, stream: str, line: str) -> None:
        held.set()
        release.wait(30)

    work = work_of(elsewhere.listens, emit)
    job = Job(host=None, task=SimpleNamespace(epoch=0), call=Call(int, linger=30.0))  # type: ignore[arg-type]
    place = ProcessPlace()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            place.run(work, job)
        except WorkerError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert held.wait(30)
    place.abandon(Job(None, job.task, job.call))  # type: ignore[arg-type]
    assert not mark.gone()
    place.abandon(job)
    assert eventually(mark.gone)
    release.set()
    thread.join(30)
    place.close()
    assert "was ended by SIGKILL" in str(raised)
