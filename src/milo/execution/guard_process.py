"""Sessions of processes and their end; run as a program it is the guard, so it needs nothing else of milo."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Collection
from contextlib import suppress

__all__ = ["end_sessions", "kill_sessions", "lives", "main", "signal_group", "still_ours", "wait_gone"]

# A group here always bears the number of the session that it was started in: its first process leads both.

_GUARD_GRACE_S = 1.0
_SWEEP_S = 1.0
_LOOK_AGAIN_S = 0.02
_LONGEST_S = 1e6  # more than fits into what the system takes


def signal_group(group: int, number: int) -> None:
    """Send a signal to every process of the group that may be signalled, if there is any."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # Gone, or nothing but processes of somebody else (or, on macOS, ended ones).
        return


def lives(group: int) -> bool:
    """Whether the group has a process that runs and may be signalled. Its leader must have been reaped."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    found = _members({group})
    # Where orphans are not reaped (a container without an init), ended ones stay on: they count as gone.
    return found is None or bool(found)


def still_ours(groups: Collection[int]) -> set[int]:
    """Those of some groups whose leaders were reaped that still are what they were.

    The number of a group that has become empty may be given to another process, which may be anybody's.
    """
    return {group for group in groups if not _is_taken(group)}


def _is_taken(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_gone(groups: Collection[int], deadline: float) -> bool:
    """Wait until no process of these sessions runs.

    Args:
        groups: Groups, each with the number of its session.
        deadline: Monotonic seconds at which to stop waiting.

    Returns:
        Whether they are gone.
    """
    while True:
        found = _members(groups)
        if found is None:
            if not any(lives(group) for group in groups):
                return True
            time.sleep(_LOOK_AGAIN_S)  # the system has nothing to wait for
        elif not found:
            return True
        elif not all(_wait_process(pid, deadline) for pid in found):
            return False
        if time.monotonic() >= deadline:
            return False


def kill_sessions(groups: Collection[int]) -> None:
    """Kill these groups, and whoever has left his group but not the session, until nobody is left."""
    deadline = time.monotonic() + _SWEEP_S
    for group in groups:
        signal_group(group, signal.SIGKILL)
    # One that was just forking may have a child that the last look has missed.
    while found := _members(groups):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue  # ended meanwhile, or another user's
        if not all(_wait_process(pid, deadline) for pid in found):
            return


def end_sessions(groups: Collection[int], grace_s: float) -> None:
    """Ask these groups to end, and kill what is left of their sessions after `grace_s` seconds; at once with 0."""
    if grace_s > 0:
        for group in groups:
            signal_group(group, signal.SIGTERM)
            signal_group(group, signal.SIGCONT)  # a stopped process takes no other signal
        if wait_gone(groups, time.monotonic() + grace_s):
            return
    kill_sessions(groups)


def _members(groups: Collection[int]) -> list[int] | None:
    """The processes that run in these sessions; None where the system does not tell."""
    try:
        # Another namespace's /proc would tell of other processes with the same numbers.
        if os.readlink("/proc/self") != str(os.getpid()):
            return None
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    return [pid for pid in pids if _session(pid) in groups and _runs(pid)]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _runs(pid: int) -> bool:
    """Whether a process has not ended: one that waits to be reaped has."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            state = stat.read().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in (b"Z", b"X")


def _wait_process(pid: int, deadline: float) -> bool:
    """Wait for the end of any process until the deadline; returns whether it came, True where nobody can tell."""
    left_s = max(0.0, deadline - time.monotonic())
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):
        # An older system, or one that forbids it: nothing to wait for, so the caller looks again.
        time.sleep(min(_LOOK_AGAIN_S, left_s))
        return left_s > 0
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(min(left_s, _LONGEST_S) * 1000))
    finally:
        os.close(descriptor)


def main() -> None:
    """Read from stdin which groups there are until the milo process is gone, and end what it has left behind.

    ``+12`` is a new group, ``~12`` one whose leader was reaped, ``-12`` one that is gone; ``!`` asks for no grace.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    with suppress(AttributeError, OSError):  # not on every system
        # What it is told in passing is not urgent: it must not take the processor from whoever tells.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    led: set[int] = set()
    left: set[int] = set()
    hurried = False
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line == b"!":
                hurried = True
            elif line[1:].isdigit() and int(line[1:]) > 1:
                _note(line[:1], int(line[1:]), led, left)
    end_sessions(led | still_ours(left), 0.0 if hurried else _GUARD_GRACE_S)


def _note(mark: bytes, group: int, led: set[int], left: set[int]) -> None:
    led.discard(group)
    left.discard(group)
    if mark == b"+":
        led.add(group)
    elif mark == b"~":
        left.add(group)


if __name__ == "__main__":
    main()
