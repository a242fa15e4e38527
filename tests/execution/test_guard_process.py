"""The guard as a process, and how sessions are ended, with real shells that do not want to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from milo.execution import guard_process
from milo.execution.guard_process import end_sessions, kill_sessions, lives, still_ours, wait_gone
from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc, running


def session(script: str, mark: Mark) -> subprocess.Popen[bytes]:
    """A shell in a session of its own that has printed "ready"."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={**os.environ, **mark.env},
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    while process.stdout.readline() != b"ready\n":
        pass
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(20)


@needs_proc
def test_a_polite_session_ends_within_its_grace(mark: Mark) -> None:
    """Nothing is killed that goes by itself, and nobody waits longer than it takes."""
    process = session("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done", mark)
    end_sessions([process.pid], 20.0)
    assert mark.gone()
    assert ended(process) == 3


@needs_proc
def test_a_stubborn_session_is_killed_after_its_grace(mark: Mark) -> None:
    """With grandchildren that ignore every signal too."""
    process = session(STUBBORN, mark)
    end_sessions([process.pid], 0.1)
    assert mark.gone()
    assert ended(process) == -signal.SIGKILL


@needs_proc
def test_a_stopped_session_hears_that_it_shall_end(mark: Mark) -> None:
    """It is continued, or it would sleep through its grace."""
    process = session("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done", mark)
    os.killpg(process.pid, signal.SIGSTOP)
    end_sessions([process.pid], 20.0)
    assert ended(process) == 4


@needs_proc
def test_whoever_has_left_his_group_is_found_through_the_session(mark: Mark) -> None:
    """Each job of a shell with job control has a group of its own."""
    program = "import os, time; os.setpgid(0, 0); print('ready', flush=True); time.sleep(1000)"
    process = session(f'{sys.executable} -I -S -c "{program}" & wait', mark)
    assert len({os.getpgid(pid) for pid in mark.processes()}) == 2
    kill_sessions([process.pid])
    assert mark.gone()
    ended(process)


def test_sessions_end_where_the_system_tells_nothing(monkeypatch: pytest.MonkeyPatch, mark: Mark) -> None:
    """Without /proc the groups alone are known."""
    monkeypatch.setattr(guard_process, "_members", lambda groups: None)
    process = session("sleep 1000 & echo ready; wait", mark)
    assert not wait_gone([process.pid], time.monotonic() + 0.05)
    kill_sessions([process.pid])
    assert ended(process) == -signal.SIGKILL
    assert wait_gone([process.pid], time.monotonic() + 20)


@needs_proc
def test_sessions_end_where_processes_cannot_be_waited_for(
    monkeypatch: pytest.MonkeyPatch, mark: Mark
) -> None:
    """An older kernel, or a container that forbids it: one looks again."""

    def refuse(pid: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    process = session("trap 'sleep 0.1; exit 3' TERM; echo ready; while :; do sleep 0.01; done", mark)
    assert not wait_gone([process.pid], time.monotonic() + 0.05)
    end_sessions([process.pid], 20.0)
    assert ended(process) == 3
    assert mark.gone()


@needs_proc
def test_what_has_ended_and_was_not_reaped_does_not_count(mark: Mark) -> None:
    """It would hold up every end until somebody reaps it."""
    process = session("echo ready", mark)
    assert eventually(lambda: not running(process.pid))
    assert wait_gone([process.pid], time.monotonic() + 20)
    assert not lives(process.pid)
    ended(process)


@needs_proc
def test_a_group_lives_as_long_as_one_of_it(mark: Mark) -> None:
    """Also after its leader, whose number is not taken; one that somebody has is not ours any more."""
    process = session("sleep 1000 >/dev/null & echo ready", mark)
    assert ended(process) == 0
    assert lives(process.pid)
    assert still_ours([process.pid, os.getpid()]) == {process.pid}
    kill_sessions([process.pid])
    assert eventually(lambda: not lives(process.pid))


def guard() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard_process.__file__], stdin=subprocess.PIPE, start_new_session=True
    )


def tell(process: subprocess.Popen[bytes], *lines: str) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.close()
    assert process.wait(20) == 0


@needs_proc
def test_the_guard_ends_what_is_registered_when_its_pipe_closes(mark: Mark) -> None:
    """Not what was taken back, and nothing that is no group of anybody's."""
    other = Mark()
    mine, gone = session(STUBBORN, mark), session(STUBBORN, other)
    tell(guard(), f"+{mine.pid}", f"+{gone.pid}", "", "+", "+1", "+0", "+-1", "nonsense", f"-{gone.pid}")
    assert mark.gone()
    assert eventually(other.processes)
    kill_sessions([gone.pid])
    ended(mine)
    ended(gone)


@needs_proc
def test_the_guard_gives_a_moment_unless_it_is_hurried(mark: Mark) -> None:
    """What asks for time in its TERM handler has it, and not after a `!`."""
    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"
    polite, killed = session(script, mark), session(script, mark)
    tell(guard(), f"+{polite.pid}")
    tell(guard(), f"+{killed.pid}", "!")
    assert (ended(polite), ended(killed)) == (5, -signal.SIGKILL)


@needs_proc
def test_the_guard_leaves_a_number_alone_that_was_given_to_another(mark: Mark) -> None:
    """A group without its leader is ended; one whose number somebody bears cannot be that group."""
    orphans, stranger = Mark(), session(STUBBORN, mark)
    leader = session("sleep 1000 >/dev/null & echo ready", orphans)
    ended(leader)
    tell(guard(), f"+{leader.pid}", f"~{leader.pid}", f"~{stranger.pid}")
    assert orphans.gone()
    assert eventually(mark.processes)
    kill_sessions([stranger.pid])
    ended(stranger)


@needs_proc
def test_the_guard_does_not_listen_to_a_terminal(mark: Mark) -> None:
    """The signals that a terminal or a session manager sends to everybody do not end it."""
    process = guard()
    child = session(STUBBORN, mark)
    status = f"/proc/{process.pid}/status"

    def ignored() -> int:
        with open(status) as lines:
            return next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))

    wanted = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert eventually(lambda: ignored() & wanted == wanted)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    tell(process, f"+{child.pid}", "!")
    assert mark.gone()
    ended(child)
