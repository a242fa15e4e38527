"""ProcessGroups: whatever a run has started ends with it."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from milo.errors import StateError
from milo.execution import groups as groups_module
from milo.execution.groups import ProcessGroups, current_groups, groups_here
from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc, running


class Command:
    """A command that remembers how it was to be ended."""

    registered = False

    def __init__(self, group: int) -> None:
        self.group = group
        self.graces: list[float] = []

    def end(self, grace_s: float) -> None:
        self.graces.append(grace_s)


NOBODY = 2_000_000_000  # more than any system numbers


def left_behind(script: str, mark: Mark) -> int:
    """The number of a group whose leader has ended and was reaped; the script has printed "ready"."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"({script}) & :"],
        env={**os.environ, **mark.env},
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    while process.stdout.readline() != b"ready\n":
        pass
    process.wait()
    process.stdout.close()
    return process.pid


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the guard was told."""
    told: list[str] = []
    guard = groups_module.guard
    monkeypatch.setattr(guard, "add", lambda group, *, told=False: _note(_all, f"+{group}"))
    monkeypatch.setattr(guard, "leave", lambda group: _note(_all, f"~{group}"))
    monkeypatch.setattr(guard, "remove", lambda group: _note(_all, f"-{group}"))
    _all = told
    return told


def _note(told: list[str], line: str) -> None:
    told.append(line)


def test_commands_that_run_are_told_to_end(told: list[str]) -> None:
    """With the grace that there is; those that have ended are not."""
    groups = ProcessGroups()
    ended, runs = Command(NOBODY), Command(NOBODY + 1)
    groups.add(ended)
    groups.add(runs)
    groups.done(ended, left=False)
    groups.close(3.0)
    assert (ended.graces, runs.graces) == ([], [3.0])
    assert told == [f"+{NOBODY}", f"+{NOBODY + 1}", f"-{NOBODY}"]


def test_nothing_starts_after_the_end(told: list[str]) -> None:
    """It would outlive its run."""
    groups = ProcessGroups()
    groups.check()
    groups.close(0)
    with pytest.raises(StateError, match="after the end of its run"):
        groups.check()
    with pytest.raises(StateError, match="after the end of its run"):
        groups.add(Command(NOBODY))
    assert told == []


def test_what_is_ended_before_the_end_lets_others_start(told: list[str]) -> None:
    """A handler that has not heard yet of the end may go on; what it starts is ended with it, or at the end."""
    groups = ProcessGroups()
    first, second = Command(NOBODY), Command(NOBODY + 1)
    groups.add(first)
    groups.end(3.0)
    groups.done(first, left=False)
    groups.add(second)
    groups.close(0)
    assert (first.graces, second.graces) == ([3.0], [0])


@needs_proc
def test_what_a_command_left_behind_lives_until_the_end(mark: Mark, told: list[str]) -> None:
    """Then it is asked to end, and killed if it does not."""
    groups = ProcessGroups()
    group = left_behind(STUBBORN, mark)
    groups.done(Command(group), left=True)
    assert eventually(mark.processes)
    groups.close(0.1)
    assert mark.gone()
    assert told == [f"~{group}", f"-{group}"]
    groups.close(0.1)
    assert told == [f"~{group}", f"-{group}"]


@needs_proc
def test_what_is_left_behind_after_the_end_is_killed_at_once(mark: Mark, told: list[str]) -> None:
    """Its command may have ended at the same time as the run."""
    groups = ProcessGroups()
    groups.close(0)
    group = left_behind(STUBBORN, mark)
    groups.done(Command(group), left=True)
    assert mark.gone()
    assert told == [f"~{group}", f"-{group}"]


@needs_proc
def test_a_number_that_somebody_else_bears_now_is_left_alone(mark: Mark, told: list[str]) -> None:
    """A group that became empty by itself may be followed by any other."""
    stranger = subprocess.Popen(
        ["/bin/sh", "-c", "exec sleep 1000"], env={**os.environ, **mark.env}, start_new_session=True
    )
    groups = ProcessGroups()
    groups.done(Command(stranger.pid), left=True)
    groups.close(0)
    assert running(stranger.pid)
    stranger.kill()
    stranger.wait()


@needs_proc
def test_a_second_close_kills_what_the_first_waits_for(mark: Mark, told: list[str]) -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    groups = ProcessGroups()
    groups.done(Command(left_behind(STUBBORN, mark)), left=True)
    first = threading.Thread(target=groups.close, args=(1000.0,))
    first.start()
    assert eventually(lambda: groups._closed)
    groups.close(0)
    first.join(20)
    assert not first.is_alive()
    assert mark.gone()


def test_a_run_has_groups_of_its_own() -> None:
    """Outside a run they are those of the process."""
    outside = groups_here()
    assert groups_here() is outside
    groups = ProcessGroups()
    token = current_groups.set(groups)
    assert groups_here() is groups
    current_groups.reset(token)
    assert groups_here() is outside


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_none_of_its_parents_commands() -> None:
    """They are not its to end."""
    outside = groups_here()
    outside._running[NOBODY] = Command(NOBODY)
    try:
        pid = os.fork()
        if not pid:
            os._exit(len(outside._running))
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        del outside._running[NOBODY]
