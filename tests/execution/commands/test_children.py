"""Children: real commands, ended with everything that they started, however little they want to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import pytest

from milo.errors import StateError
from milo.execution import guard_process
from milo.execution.commands import children
from milo.execution.commands.children import Child
from milo.execution.groups import ProcessGroups
from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc


class Kept:
    """Keeps what a command writes, and calls back for it."""

    def __init__(self, heard: Callable[[bytes], object] = lambda data: None) -> None:
        self.data = {"stdout": b"", "stderr": b""}
        self.settled = b""
        self._heard = heard

    def take(self, stream: str, data: bytes) -> None:
        self.data[stream] += data
        self._heard(data)

    def settle(self) -> None:
        self.settled = self.data["stdout"]


@pytest.fixture
def start(groups: ProcessGroups, mark: Mark) -> Callable[..., Child]:
    """Starts a command that bears the mark."""

    def start(command: str | Sequence[str], env: dict[str, str] | None = None) -> Child:
        env = {**os.environ, **mark.env} if env is None else env
        return Child(command, cwd=None, env=env, groups=groups, grace_s=0.1)

    return start


SCRIPT = "echo out; echo err >&2; exit 3"


def when_ready(child: Child, do: Callable[[], object], word: bytes = b"grandchild") -> Kept:
    """Does something when the command has printed a word."""
    seen = [b""]

    def heard(data: bytes) -> None:
        if word not in seen[0]:
            seen[0] += data
            if word in seen[0]:
                do()

    return Kept(heard)


@pytest.mark.parametrize(
    "command", ["echo out; echo err >&2; exit 3", ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]]
)
def test_a_command_gives_its_output_and_its_status(
    start: Callable[..., Child], command: str | Sequence[str]
) -> None:
    """As text through a shell, and as arguments."""
    kept = Kept()
    assert start(command).wait(kept) == 3
    assert kept.data == {"stdout": b"out\n", "stderr": b"err\n"}


@pytest.mark.parametrize("guarded", [True, False])
def test_a_command_is_alone_in_its_session(
    start: Callable[..., Child], guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leads it, its stdin is /dev/null, and it has no descriptors but its own; with a guard and without."""
    if not guarded:
        monkeypatch.setattr(children.guard, "descriptor", lambda: None)
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    program = (
        "import os, stat, signal\n"
        "fds = []\n"
        "for fd in range(64):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: continue\n"
        "    fds.append(fd)\n"
        "print(os.getsid(0) == os.getpgid(0) == os.getpid(), os.read(0, 1), fds,\n"
        "      os.path.samestat(os.fstat(0), os.stat(os.devnull)), signal.getsignal(signal.SIGPIPE).name)\n"
    )
    kept = Kept()
    child = start([sys.executable, "-I", "-S", "-c", program])
    assert child.registered is guarded
    assert child.wait(kept) == 0
    os.close(inherited)
    assert kept.data["stdout"] == b"True b'' [0, 1, 2] True SIG_IGN\n", kept.data


def test_a_program_gets_every_variable(start: Callable[..., Child]) -> None:
    """Also one whose name no shell would hand on; and a program whose name begins with a dash is one."""
    env = {**os.environ, "INPUT_NAME-WITH.DOT": "1", "EMPTY": "", "LINES": "a\nb"}
    kept = Kept()
    program = "import os, json; print(json.dumps(dict(os.environ)))"
    child = start([sys.executable, "-I", "-S", "-c", program], env=env)
    assert not child.registered
    assert child.wait(kept) == 0
    assert b'"INPUT_NAME-WITH.DOT": "1"' in kept.data["stdout"]
    assert b'"EMPTY": ""' in kept.data["stdout"]
    assert b'"LINES": "a\\nb"' in kept.data["stdout"]


def test_a_program_gets_its_arguments_as_they_are(start: Callable[..., Child]) -> None:
    """No shell looks at them."""
    args = ["", "a b", "$HOME", "*", "'", '"', "\\", "-n", "--", "\n", ";", "ü"]
    kept = Kept()
    child = start([sys.executable, "-I", "-S", "-c", "import sys; print(ascii(sys.argv[1:]))", *args])
    assert child.registered
    assert child.wait(kept) == 0
    assert kept.data["stdout"].decode().strip() == ascii(args)


@pytest.mark.parametrize(
    "script",
    [
        "# a comment\necho $0 $# $-",
        "\necho $LINENO\nnosuchcommand",
        "cat <<E\nhere\nE\necho there",
        "f() { echo $1; }; f x; trap",
        "if",
        "echo before; (exit 3); echo $?; exit 4",
        "kill -TERM $$",
        "yes | head -n 1; set -o",
    ],
)
def test_a_script_is_what_a_shell_would_make_of_it(start: Callable[..., Child], script: str) -> None:
    """Registering it leaves no trace in its output, its errors and its status."""
    kept = Kept()
    status = start(script).wait(kept)
    plain = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (status, kept.data) == (plain.returncode, {"stdout": plain.stdout, "stderr": plain.stderr})


@needs_proc
def test_a_stubborn_tree_is_ended_from_any_thread(start: Callable[..., Child], mark: Mark) -> None:
    """The signals are sent and the killing is arranged; nobody is held up."""
    child = start(STUBBORN)
    ender = threading.Thread(target=child.end, args=(0.2,))
    assert child.wait(when_ready(child, ender.start)) == -signal.SIGKILL
    assert mark.gone()
    ender.join()
    child.end(0)  # it is too late, and nothing happens


@needs_proc
def test_no_grace_kills_at_once(start: Callable[..., Child], mark: Mark) -> None:
    """What would have ended by itself is not asked."""
    child = start("trap 'exit 0' TERM; echo grandchild; while :; do sleep 0.01; done")
    assert child.wait(when_ready(child, lambda: child.end(0))) == -signal.SIGKILL
    assert mark.gone()


@needs_proc
def test_a_polite_command_has_its_grace(start: Callable[..., Child], mark: Mark) -> None:
    """Its own ending and status, its last words, and no wait for the rest of the grace."""
    child = start("trap 'echo bye; exit 6' TERM; echo grandchild; while :; do sleep 0.01; done")
    kept = when_ready(child, lambda: child.end(1000))
    assert child.wait(kept) == 6
    assert kept.settled == b"grandchild\nbye\n"
    assert mark.gone()


@needs_proc
def test_a_second_end_may_be_sooner_but_not_later(start: Callable[..., Child], mark: Mark) -> None:
    """Whoever is in a greater hurry decides."""
    child = start(STUBBORN)

    def end() -> None:
        child.end(1000)
        child.end(0.1)
        child.end(2000)

    assert child.wait(when_ready(child, end)) == -signal.SIGKILL
    assert mark.gone()


@needs_proc
def test_grandchildren_that_outlive_their_parents_end_are_killed_too(
    start: Callable[..., Child], mark: Mark
) -> None:
    """The command itself goes when it is asked, what it started does not: it gets the rest of the grace."""
    child = start(
        "(trap '' TERM; echo grandchild; while :; do sleep 1000; done) & trap 'exit 0' TERM;"
        " while :; do sleep 0.01; done"
    )
    assert child.wait(when_ready(child, lambda: child.end(0.3))) == 0
    assert mark.gone()


@needs_proc
def test_a_process_that_left_the_group_but_not_the_session_is_killed_too(
    start: Callable[..., Child], mark: Mark
) -> None:
    """As the jobs of an interactive shell do."""
    program = "import os, time; os.setpgid(0, 0); print('grandchild', flush=True); time.sleep(1000)"
    child = start(f'{sys.executable} -I -S -c "{program}" & while :; do sleep 0.01; done')
    assert child.wait(when_ready(child, lambda: child.end(0.1))) == -signal.SIGTERM
    assert mark.gone()


def test_without_another_thread_the_command_is_killed_at_once(
    start: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could see to it later."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    child = start("trap '' TERM; echo grandchild; while :; do sleep 0.01; done")

    def end() -> None:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        child.end(1000)

    assert child.wait(when_ready(child, end)) == -signal.SIGKILL


@needs_proc
def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for(
    start: Callable[..., Child], groups: ProcessGroups, mark: Mark
) -> None:
    """It lives on, its output is still read, and it ends with the run."""
    said = threading.Event()
    kept = Kept(lambda data: said.set() if b"later" in data else None)
    assert start("(read x </dev/null; sleep 0.3; echo later; sleep 1000) & echo now").wait(kept) == 0
    assert kept.settled == b"now\n"
    assert said.wait(20)
    assert eventually(mark.processes)
    groups.close(5)
    assert mark.gone()


@needs_proc
def test_a_grandchild_that_floods_holds_nobody(
    start: Callable[..., Child], groups: ProcessGroups, mark: Mark
) -> None:
    """What the command itself has written is there; the flood is read on, so that it is not stopped by it."""
    size = threading.Condition()
    kept = Kept()

    def heard(data: bytes) -> None:
        with size:
            size.notify_all()

    kept._heard = heard
    assert start("yes flood & echo mine >&2").wait(kept) == 0
    assert kept.data["stderr"] == b"mine\n"
    settled = len(kept.settled)
    with size:
        assert size.wait_for(lambda: len(kept.data["stdout"]) > settled + 1_000_000, 20)
    groups.close(0)
    assert mark.gone()


def test_eight_megabytes_without_a_newline_arrive(start: Callable[..., Child]) -> None:
    """The last of them too, though the command has ended when they are read."""
    pieces: list[int] = []
    kept = Kept()
    kept.take = lambda stream, data: pieces.append(len(data))  # type: ignore[method-assign]
    assert start("head -c 8388608 /dev/zero").wait(kept) == 0
    assert sum(pieces) == 8388608


@needs_proc
def test_a_reader_that_fails_ends_the_command(start: Callable[..., Child], mark: Mark) -> None:
    """And its error is raised when nothing is left."""

    def fail() -> None:
        raise ValueError("on purpose")

    child = start(STUBBORN)
    with pytest.raises(ValueError, match="on purpose"):
        child.wait(when_ready(child, fail))
    assert mark.gone()


def test_a_closed_run_starts_nothing(start: Callable[..., Child], groups: ProcessGroups) -> None:
    """Before and during the start."""
    groups.close(0)
    with pytest.raises(StateError, match="after the end of its run"):
        start("exit 0")


@needs_proc
def test_a_run_that_closes_during_a_start_leaves_nothing(
    start: Callable[..., Child], groups: ProcessGroups, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that has just been started is killed."""
    real = groups.add

    def add(command: Child) -> None:
        groups.close(0)
        real(command)

    monkeypatch.setattr(groups, "add", add)
    with pytest.raises(StateError):
        start("sleep 1000")
    assert eventually(mark.gone)  # a signal to a group has been sent to all of it before all of it is gone


def test_a_command_that_cannot_be_started_leaves_no_descriptor(groups: ProcessGroups) -> None:
    """The system's error is raised as it is."""
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(OSError, match="No such file"):
            Child("exit 0", cwd="/nowhere/at/all", env={}, groups=groups, grace_s=1)
    assert len(os.listdir("/dev/fd")) <= before + 1  # the guard's


def test_nothing_is_left_open_after_a_command(start: Callable[..., Child]) -> None:
    """Neither descriptors nor threads."""
    start("exit 0").wait(Kept())
    before = (len(os.listdir("/dev/fd")), threading.active_count())
    for _ in range(5):
        start("echo x; exit 1").wait(Kept())
    assert (len(os.listdir("/dev/fd")), threading.active_count()) == before


def test_a_child_that_was_reaped_by_somebody_else_has_ended(start: Callable[..., Child]) -> None:
    """A program that waits for every child takes its status away, but nobody hangs."""
    child = start("exit 9")
    os.waitpid(child.group, 0)
    assert child.wait(Kept()) == 0


def test_commands_end_where_the_system_tells_nothing(
    start: Callable[..., Child], mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No /proc, and no descriptor for a process: the group is killed all the same."""

    def refuse(pid: int) -> int:
        raise OSError("not here")

    monkeypatch.setattr(guard_process, "_members", lambda groups: None)
    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    child = start(STUBBORN)
    assert child.wait(when_ready(child, lambda: child.end(0.2))) == -signal.SIGKILL
    assert eventually(mark.gone)


INTERRUPTED = """
import os, signal, sys, threading, time
from milo.execution.commands.children import Child
from milo.execution.groups import groups_here

class Output:
    seen = b""
    def take(self, stream, data):
        self.seen += data
        if stream == "stdout" and data and b"grandchild" in self.seen:
            print("ready", flush=True)
    def settle(self): pass

child = Child(os.environ["SCRIPT"], cwd=None, env=dict(os.environ), groups=groups_here(), grace_s=float(sys.argv[1]))
try:
    child.wait(Output())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def interrupted(mark: Mark, script: str, grace_s: float) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(grace_s)],
        env={**os.environ, **mark.env, "SCRIPT": script},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@needs_proc
def test_an_interrupt_ends_the_session_and_is_raised_again(mark: Mark) -> None:
    """Within the grace; nothing is left when it is raised."""
    process = interrupted(mark, STUBBORN, 0.3)
    process.send_signal(signal.SIGINT)
    assert b"interrupted\n" in process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert mark.gone()


@needs_proc
def test_a_second_interrupt_does_not_wait_for_the_grace(mark: Mark) -> None:
    """It kills at once."""
    script = "trap 'echo grandchild' TERM; echo grandchild; while :; do sleep 0.01; done"
    process = interrupted(mark, script, 1000)
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert b"interrupted\n" in process.communicate(timeout=20)[0]
    assert mark.gone()
