"""sh and shell: commands of the system inside handlers, seen live, failing clearly, ended with their phase."""

from __future__ import annotations

import asyncio
import contextvars
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milo.errors import PhaseCancelled, StateError
from milo.execution.commands import command
from milo.execution.commands.children import Child
from milo.execution.commands.command import CommandError, Shell, sh, shell
from milo.execution.groups import ProcessGroups
from tests.execution.watching import STUBBORN, FakeAttempt, Mark, eventually, fake_phase, needs_proc

pytestmark = pytest.mark.usefixtures("groups", "phases")


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts that the tests cancel when they like."""
    monkeypatch.setattr(command, "phase_or_none", fake_phase.get)


def test_sh_gives_what_the_command_wrote_and_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, as it was written; outside a phase it is seen as well."""
    done = sh("printf 'a\\r\\nb'; echo err >&2; exit 3", check=False)
    assert done.returncode == 3
    assert (done.stdout, done.stderr) == ("a\r\nb", "err\n")
    assert done.args == "printf 'a\\r\\nb'; echo err >&2; exit 3"
    assert capsys.readouterr() == ("a\nb\n", "err\n")


def test_a_sequence_goes_through_no_shell() -> None:
    """Its arguments are what they are."""
    assert sh(["echo", "$HOME", "a  b"]).stdout == "$HOME a  b\n"
    assert sh([Path("/bin/echo"), "x"]).args == ("/bin/echo", "x")


def test_the_environment_is_added_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None removes a variable; the directory is the command's own."""
    monkeypatch.setenv("STAYS", "1")
    monkeypatch.setenv("GOES", "1")
    done = sh("echo $STAYS $GOES $NEW; pwd", env={"NEW": "2", "GOES": None, "NEVER": None}, cwd=tmp_path)
    assert done.stdout == f"1 2\n{os.path.realpath(tmp_path)}\n"


def test_a_handler_of_a_command_is_a_value() -> None:
    """It can be compared, hashed, pickled and shown, and takes nothing."""
    made = shell(["gcc", "-c", "a.c"], cwd=Path("src"), env={"SECRET": "s3cret", "A": None})
    assert made == shell(("gcc", "-c", "a.c"), cwd="src", env={"A": None, "SECRET": "s3cret"})
    assert made != shell("gcc -c a.c")
    assert hash(made) == hash(pickle.loads(pickle.dumps(made)))
    assert pickle.loads(pickle.dumps(made)) == made
    assert repr(made) == "shell(['gcc', '-c', 'a.c'], cwd='src', env={'A': ..., 'SECRET': ...})"
    assert repr(shell("make")) == "shell('make')"
    with pytest.raises(AttributeError):
        made.cwd = "elsewhere"  # type: ignore[misc]


def test_wrong_arguments_are_refused_when_it_is_declared() -> None:
    """Not when it runs."""
    with pytest.raises(StateError):
        shell("")
    with pytest.raises(StateError):
        sh(["x"], env={"A": 1})  # type: ignore[dict-item]


def test_in_a_phase_every_line_is_a_log_line(attempt: FakeAttempt, capfd: pytest.CaptureFixture[str]) -> None:
    """Of both streams, from grandchildren too, and nowhere else."""
    made = shell("echo one; (sh -c 'echo two >&2'); printf three")
    assert attempt.run(made) is None
    assert sorted(attempt.lines) == [("stderr", "two"), ("stdout", "one"), ("stdout", "three")]
    assert capfd.readouterr() == ("", "")


def test_lines_come_while_the_command_runs(attempt: FakeAttempt, tmp_path: Path) -> None:
    """It waits until its first line was seen."""
    seen = tmp_path / "seen"
    attempt.heard = lambda line: seen.touch()
    attempt.run(lambda: sh(f"echo first; while ! test -e {seen}; do sleep 0.01; done; echo second"))
    assert attempt.lines == [("stdout", "first"), ("stdout", "second")]


def test_a_failure_tells_the_command_its_status_and_its_last_lines(attempt: FakeAttempt) -> None:
    """Of both streams, ten at most, made harmless and not endless."""
    script = (
        "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo line $i; done; printf '\\033[2Jwiped\\n' >&2; sleep 0.1"
    )
    with pytest.raises(CommandError) as raised:
        attempt.run(shell(f"{script}; head -c 100000 /dev/zero | tr '\\0' x; exit 2"))
    error = raised.value
    message = str(error)
    assert message.startswith(f"The command `{script}; head")
    assert "exited with status 2. Its last lines:\n  line " in message
    assert "  line 11\n" in message
    assert "  line 3\n" not in message
    assert "  wiped\n" in message
    assert "\x1b" not in message
    assert len(message) < 2000
    assert message.endswith("x…")
    assert (error.returncode, error.code) == (2, "command")
    assert error.stdout.endswith("x")
    assert error.stderr == "\x1b[2Jwiped"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("exit 1", "exited with status 1. It wrote nothing."),
        ("kill -KILL $$", "was ended by SIGKILL."),
        ("exit 137", r"exited with status 137 \(128 \+ SIGKILL\)."),
        ("exit 255", "exited with status 255."),
        ("no-such-program-anywhere", r"exited with status 127 \(a command was not found\)"),
        ("/etc", r"exited with status 126 \(a file could not be executed\)"),
    ],
)
def test_the_status_is_told_in_words(script: str, outcome: str) -> None:
    """So that nobody has to look it up."""
    with pytest.raises(CommandError, match=outcome):
        sh(script)


def test_an_error_of_sh_has_everything_and_can_be_pickled() -> None:
    """Nothing of the output is lost."""
    with pytest.raises(CommandError) as raised:
        sh("seq 1 100; echo oops >&2; exit 5")
    error = pickle.loads(pickle.dumps(raised.value))
    assert len(error.stdout.splitlines()) == 100
    assert (error.returncode, error.stderr, error.command) == (
        5,
        "oops\n",
        "seq 1 100; echo oops >&2; exit 5",
    )
    assert str(error) == str(raised.value)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (["no-such-program"], r"'no-such-program' was not found, or is not executable \(not on the PATH\)"),
        (["./no-such-program"], r"'./no-such-program' was not found.*no program in '/"),
        (["/no/such/program"], "'/no/such/program' was not found"),
        (["make all"], "'make all' was not found.*without a list"),
        (["/etc/passwd"], "'/etc/passwd' was not found, or is not executable"),
    ],
)
def test_a_program_that_is_not_there_is_named(missing: list[str], message: str, check: bool) -> None:
    """Before anything is started, whatever the status would have meant."""
    with pytest.raises(CommandError, match=message) as raised:
        sh(missing, check=check)
    assert raised.value.returncode is None


def test_a_program_is_looked_for_where_the_command_will_find_it(tmp_path: Path) -> None:
    """Relative names and directories on the PATH are meant from its own directory; PATH is its own too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tool"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert sh(["bin/tool"], cwd=tmp_path).stdout == "found\n"
    assert sh(["tool"], cwd=tmp_path, env={"PATH": "bin"}).stdout == "found\n"
    assert sh(["tool"], cwd=folder, env={"PATH": f"/usr/bin{os.pathsep}"}).stdout == "found\n"
    with pytest.raises(CommandError):
        sh(["tool"], cwd=folder)
    program.write_text("#!/no/such/interpreter\n")
    with pytest.raises(CommandError, match=r"status 12[67]"):
        sh(["bin/tool"], cwd=tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Or is none; it is asked when the command runs."""
    made = shell("pwd", cwd=tmp_path / "later")
    with pytest.raises(CommandError, match=r"cannot run in '.*later': there is no such directory"):
        made()
    (tmp_path / "later").mkdir()
    made()
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="no such directory"):
        sh("pwd", cwd=tmp_path / "file")


def test_what_the_system_will_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own words."""
    with pytest.raises(CommandError, match=r"xxx…` could not be started: Argument list too long"):
        sh(["echo", "x" * 10_000_000])
    monkeypatch.setattr(os, "pipe", _no_pipe)
    with pytest.raises(CommandError, match="could not be started: Too many open files"):
        sh("exit 0")


def _no_pipe() -> tuple[int, int]:
    raise OSError(24, "Too many open files")


def test_what_cannot_be_encoded_is_told() -> None:
    """A lone surrogate that stands for no byte."""
    with pytest.raises(CommandError, match=r"could not be started: .*surrogates not allowed"):
        sh(["echo", "\ud800"])


def test_bytes_that_are_no_utf_8_are_shown(attempt: FakeAttempt) -> None:
    """And nothing else is lost for them."""
    done = attempt.run(lambda: sh("printf 'a\\377b\\n\\303'"))
    assert done.stdout == "a\ufffdb\n\ufffd"
    assert attempt.lines == [("stdout", "a\ufffdb"), ("stdout", "\ufffd")]


def test_a_line_of_eight_megabytes_survives(attempt: FakeAttempt) -> None:
    """In one piece."""
    done = attempt.run(lambda: sh("head -c 8388608 /dev/zero | tr '\\0' x; echo; echo end"))
    assert [len(line) for _, line in attempt.lines] == [8388608, 3]
    assert len(done.stdout) == 8388608 + 5


def test_a_progress_bar_becomes_lines(attempt: FakeAttempt) -> None:
    """Each state of it."""
    attempt.run(lambda: sh("printf '10%%\\r20%%\\r\\r\\n'; printf 'done\\r\\n'"))
    assert [line for _, line in attempt.lines] == ["10%", "20%", "done"]


def test_commands_in_parallel_threads_keep_their_lines_apart(attempt: FakeAttempt) -> None:
    """10,000 lines on each stream of four: none is lost, changes its place or gets into another."""
    script = "i=0; while [ $i -lt 10000 ]; do echo $NAME out $i; echo $NAME err $i >&2; i=$((i+1)); done"
    done: dict[str, subprocess.CompletedProcess[str]] = {}

    def run(name: str) -> None:
        done[name] = sh(script, env={"NAME": name})

    def handler() -> None:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(run, f"n{number}"))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    attempt.run(handler)
    assert len(attempt.lines) == 80_000
    for name in done:
        for stream, word, text in (
            ("stdout", "out", done[name].stdout),
            ("stderr", "err", done[name].stderr),
        ):
            expected = [f"{name} {word} {number}" for number in range(10_000)]
            assert [
                line for each, line in attempt.lines if each == stream and line.startswith(name)
            ] == expected
            assert text.splitlines() == expected


@needs_proc
@pytest.mark.parametrize("call", [lambda env: shell(STUBBORN, env=env)(), lambda env: sh(STUBBORN, env=env)])
def test_a_cancelled_phase_ends_its_command(mark: Mark, call: Callable[[Any], object]) -> None:
    """With everything that ignores it, and says that it was cancelled, not that the command failed."""
    attempt = FakeAttempt(grace_s=0.3)
    attempt.heard = lambda line: attempt.cancel() if line[1] == "grandchild" else None
    with pytest.raises(PhaseCancelled, match="'build' was cancelled"):
        attempt.run(lambda: call(mark.env))
    assert mark.gone()


@needs_proc
def test_a_cancellation_from_another_thread_does_not_wait(mark: Mark) -> None:
    """It signals and goes on, whatever becomes of the command."""
    attempt = FakeAttempt(grace_s=1000)
    ready = threading.Event()
    attempt.heard = lambda line: ready.set()
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            attempt.run(lambda: sh("trap '' TERM; echo ready; exec sleep 1000", env=mark.env))
        except BaseException as error:  # noqa: BLE001 - PhaseCancelled is no Exception
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20)
    attempt.cancel()
    assert thread.is_alive()
    for pid in mark.processes():
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert [type(error) for error in outcome] == [PhaseCancelled]


def test_a_phase_that_was_cancelled_starts_nothing(attempt: FakeAttempt, tmp_path: Path) -> None:
    """Neither a command nor the look for it."""
    attempt.cancel()
    with pytest.raises(PhaseCancelled):
        attempt.run(shell(f"touch {tmp_path}/started"))
    with pytest.raises(PhaseCancelled):
        attempt.run(shell(["no-such-program"]))
    assert not (tmp_path / "started").exists()


@needs_proc
def test_a_cancellation_during_the_start_reaches_the_command(
    mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told before there was anybody to tell."""
    attempt = FakeAttempt(grace_s=0.0)
    real = Child.__init__

    def start(self: Child, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        attempt.cancel()

    monkeypatch.setattr(Child, "__init__", start)
    with pytest.raises(PhaseCancelled):
        attempt.run(lambda: sh("sleep 1000", env=mark.env))
    assert mark.gone()


def test_nothing_is_registered_after_a_command(attempt: FakeAttempt) -> None:
    """An attempt whose commands are done cannot be interrupted any more."""
    attempt.run(lambda: sh("exit 3", check=False))
    assert not attempt.callbacks
    with pytest.raises(CommandError):
        attempt.run(shell(["no-such-program"]))
    assert not attempt.callbacks


def test_a_command_that_ended_while_it_was_cancelled_is_cancelled(attempt: FakeAttempt) -> None:
    """Whatever its own status was."""
    attempt.heard = lambda line: attempt.cancel()
    with pytest.raises(PhaseCancelled):
        attempt.run(lambda: sh("trap 'exit 0' TERM; echo x; while :; do sleep 0.01; done"))


@needs_proc
def test_what_a_command_left_behind_ends_with_the_run(
    attempt: FakeAttempt, groups: ProcessGroups, mark: Mark
) -> None:
    """Its lines are the phase's as long as it lives."""
    heard = threading.Event()
    attempt.heard = lambda line: heard.set() if line[1] == "from behind" else None
    done = attempt.run(lambda: sh("(sleep 0.2; echo from behind; sleep 1000) & echo now", env=mark.env))
    assert done.stdout == "now\n"
    assert heard.wait(20)
    assert eventually(mark.processes)
    groups.close(5)
    assert mark.gone()
    assert done.stdout == "now\n"
    with pytest.raises(StateError, match="after the end of its run"):
        sh("exit 0")


def test_a_running_event_loop_is_refused_and_another_thread_is_not(attempt: FakeAttempt) -> None:
    """With the words that tell how."""

    async def main() -> str:
        with pytest.raises(StateError, match=r"asyncio.to_thread\(milo.sh"):
            sh("echo x")
        with pytest.raises(StateError, match="event loop"):
            shell("echo x")()
        return (await asyncio.to_thread(sh, "echo in a thread")).stdout

    assert attempt.run(lambda: asyncio.run(main())) == "in a thread\n"
    assert attempt.lines == [("stdout", "in a thread")]


@needs_proc
def test_a_command_that_is_awaited_can_be_cancelled(mark: Mark) -> None:
    """The phase's cancellation finds it in the other thread."""
    attempt = FakeAttempt(grace_s=0.2)
    attempt.heard = lambda line: attempt.cancel() if line[1] == "grandchild" else None

    async def main() -> None:
        await asyncio.to_thread(sh, STUBBORN, env=mark.env)

    with pytest.raises(PhaseCancelled):
        attempt.run(lambda: asyncio.run(main()))
    assert mark.gone()


def test_another_system_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A declaration is a declaration everywhere."""
    made = shell("make")
    monkeypatch.setattr("milo.execution.commands.checks.os.name", "nt")
    with pytest.raises(StateError, match="POSIX"):
        made()


def test_the_modules_can_be_imported_where_there_is_no_posix() -> None:
    """Nothing that other systems do not have is needed for it."""
    program = (
        "import asyncio, logging, os, select, selectors, shutil, signal, subprocess, sys\n"
        "for name in ('fcntl', 'termios', 'pwd', 'grp'): sys.modules[name] = None\n"
        "for name in ('SIGKILL', 'SIGCONT', 'SIGHUP', 'SIGQUIT', 'SIGTSTP'): delattr(signal, name)\n"
        "for name in ('killpg', 'getsid', 'waitid', 'pidfd_open', 'register_at_fork', 'set_blocking'):\n"
        "    delattr(os, name)\n"
        "del select.poll\n"
        "from milo.execution.commands.command import sh, shell\n"
        "print(shell('make'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("shell('make')\n", "")


def test_a_shell_has_no_parameters() -> None:
    """So that a phase takes it for a handler that wants nothing."""
    import inspect

    assert not inspect.signature(Shell("x")).parameters
