"""The guard as its process sees it: started when needed, told everything, and at work when this one is killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milo.execution import guard as guard_module
from milo.execution.guard import Guard
from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc, running


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard of its own, whose pipe closes with the test."""
    guard = Guard()
    yield guard
    guard.forget()


@pytest.fixture
def start(mark: Mark) -> Iterator[Callable[[], int]]:
    """Starts stubborn sessions; returns their numbers."""
    processes = []

    def start() -> int:
        process = subprocess.Popen(
            ["/bin/sh", "-c", "trap '' TERM; echo ready; exec sleep 1000"],
            env={**os.environ, **mark.env},
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        return process.pid

    yield start
    for process in processes:
        process.kill()
        process.wait()


def guard_pid(guard: Guard) -> int:
    process = guard._process
    assert process is not None
    return process.pid


@needs_proc
def test_one_guard_is_started_with_the_first_command(
    guard: Guard, mark: Mark, start: Callable[[], int]
) -> None:
    """It is in a session of its own, and ends what is left when the pipe closes."""
    guard.add(start())
    assert guard._process is None
    descriptor = guard.descriptor()
    assert descriptor is not None
    assert not os.get_inheritable(descriptor)
    first = guard_pid(guard)
    assert guard.descriptor() == descriptor
    assert guard_pid(guard) == first
    assert os.getsid(first) == first
    guard.forget()
    assert eventually(mark.gone)
    assert eventually(lambda: not running(first))


@needs_proc
def test_a_guard_that_was_killed_is_replaced(
    guard: Guard, mark: Mark, start: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    """The next one is told everything, on the same descriptor, and one warning says so."""
    descriptor = guard.descriptor()
    running_group, gone, left = start(), start(), start()
    guard.add(running_group)
    guard.add(gone)
    guard.leave(left)  # its leader lives, so that the guard must not touch it
    for again in range(3):
        pid = guard_pid(guard)
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda pid=pid: not running(pid))
        if again:
            assert guard.descriptor() == descriptor
        else:
            guard.remove(gone)
        assert guard_pid(guard) != pid
    guard.forget()
    assert eventually(lambda: not running(running_group))
    assert sorted(mark.processes()) == sorted([gone, left])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "has ended" in caplog.text


@needs_proc
def test_a_guard_that_sleeps_is_replaced_and_takes_nothing_with_it(
    guard: Guard, mark: Mark, start: Callable[[], int]
) -> None:
    """It does not hold this process up, and never takes the end of its pipe for the end of this process."""
    guard.descriptor()
    group = start()
    guard.add(group)
    pid = guard_pid(guard)
    os.kill(pid, signal.SIGSTOP)
    for number in range(20_000):  # more than the pipe takes
        guard.add(2_000_000_000 + number)
        guard.remove(2_000_000_000 + number)
        if guard_pid(guard) != pid:
            break
    assert guard_pid(guard) != pid
    assert not running(pid)
    assert running(group)


def test_a_guard_that_cannot_be_started_is_told_of_once(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything else works without one."""
    monkeypatch.setattr(sys, "executable", "")
    assert guard.descriptor() is None
    guard.add(2_000_000_001)
    guard.hurry()
    assert guard.descriptor() is None
    guard.remove(2_000_000_001)
    assert len(caplog.records) == 1
    assert "SIGKILL" in caplog.text


@pytest.mark.parametrize("executable", ["/nowhere/python", "/bin/false"])
def test_a_guard_that_will_not_run_is_not_started_for_ever(
    guard: Guard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    executable: str,
) -> None:
    """Whether the system refuses it or it ends at once."""
    monkeypatch.setattr(sys, "executable", executable)
    for _ in range(20):
        guard.descriptor()
        if guard._process is not None:
            guard._process.wait(20)
    assert guard.descriptor() is None
    assert guard._starts <= 5
    assert len(caplog.records) == 1


def test_a_frozen_program_is_no_interpreter(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started with the guard's arguments it would be the program once more."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert guard.descriptor() is None


def test_the_module_hurries_the_guard_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever is about to end the process."""
    hurried: list[bool] = []
    monkeypatch.setattr(guard_module.guard, "hurry", lambda: hurried.append(True))
    guard_module.hurry()
    assert hurried == [True]


PROGRAM = """
import os, sys, signal, threading
from milo.execution.commands.command import sh
from milo.execution.guard import hurry

script = os.environ["SCRIPT"]
for _ in range(2):
    threading.Thread(target=sh, args=(script,), daemon=True).start()
{more}
threading.Event().wait()
"""


def program(mark: Mark, more: str = "", script: str = STUBBORN) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{more}", more)],
        env={**os.environ, **mark.env, "SCRIPT": script},
        stdout=subprocess.PIPE,
    )


def read_lines(process: subprocess.Popen[bytes], wanted: set[bytes], times: int) -> None:
    assert process.stdout is not None
    seen = 0
    while seen < times:
        line = process.stdout.readline()
        assert line, "the program ended too early"
        seen += line.strip() in wanted


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@needs_proc
@pytest.mark.parametrize("times", [1, 4])
def test_nothing_survives_a_kill_9(mark: Mark, times: int) -> None:
    """Neither stubborn shells nor their grandchildren, whenever it comes."""
    process = program(mark)
    read_lines(process, {b"ready", b"grandchild"}, times)
    kill(process)
    assert eventually(mark.gone)


@needs_proc
@pytest.mark.parametrize("call", ["sh('sleep 1000')", "sh(['sleep', '1000'])"])
def test_a_command_registers_itself(mark: Mark, call: str) -> None:
    """So that a kill -9 between its start and the parent's own note of it changes nothing."""
    more = (
        "from milo.execution.guard import Guard\n"
        "def hold(*args, **kwargs):\n"
        "    os.write(1, b'begun\\n')\n"
        "    threading.Event().wait()\n"
        "Guard.add = hold\n" + call
    )
    process = program(mark, more, script="exit 0")
    read_lines(process, {b"begun"}, 1)
    kill(process)
    assert eventually(mark.gone)


@needs_proc
def test_nothing_survives_a_kill_9_at_any_moment(mark: Mark) -> None:
    """Also between the start of a command and its first line: it registers itself."""
    more = "print('begun', flush=True)\nwhile True: sh(['sleep', '0.001'])"
    for _ in range(5):
        process = program(mark, more, script="sleep 1000")
        read_lines(process, {b"begun"}, 1)
        kill(process)
    assert eventually(mark.gone)


@needs_proc
def test_a_hurried_guard_gives_no_grace(mark: Mark, tmp_path: Path) -> None:
    """A process that hurries it and ends at once leaves nobody the time for a last word."""
    script = f"trap 'touch {tmp_path}/bye; exit' TERM; echo ready; while :; do sleep 0.01; done"
    more = "sys.stdin.readline(); hurry(); os._exit(130)"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{more}", more)],
        env={**os.environ, **mark.env, "SCRIPT": script},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    read_lines(process, {b"ready"}, 2)
    process.communicate(b"\n")
    assert process.returncode == 130
    assert eventually(mark.gone)
    assert not (tmp_path / "bye").exists()


@needs_proc
@pytest.mark.parametrize(
    "fork",
    [
        "pid = os.fork()\nif not pid: signal.pause()\nos.write(1, f'forked {pid}\\n'.encode())",
        "import multiprocessing as mp\np = mp.get_context('fork').Process(target=signal.pause)\np.start()\n"
        "os.write(1, f'forked {p.pid}\\n'.encode())",
    ],
)
def test_a_forked_process_does_not_hide_the_end_of_its_parent(mark: Mark, fork: str) -> None:
    """It gives up its copy of the pipe, and the commands are its parent's."""
    more = f"sys.stdin.readline()\n{fork}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.replace("{more}", more)],
        env={**os.environ, **mark.env, "SCRIPT": STUBBORN},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    read_lines(process, {b"ready"}, 2)
    process.stdin.write(b"\n")
    process.stdin.close()
    line = b""
    while not line.startswith(b"forked"):
        line = process.stdout.readline()
    forked = int(line.split()[1])
    kill(process)
    assert eventually(lambda: mark.processes() == [forked])
    os.kill(forked, signal.SIGKILL)
