"""ProcessGroups: the process groups that a run has started, so that none of them outlives it."""

from __future__ import annotations

import os
import threading
import time
from contextvars import ContextVar
from typing import Protocol

from milo.errors import StateError
from milo.execution.guard import guard
from milo.execution.guard_process import end_sessions, still_ours, wait_gone

__all__ = ["ASKED_NICELY", "ProcessGroups", "current_groups", "groups_here"]

ASKED_NICELY = 0.8
"""The part of a grace after which what was asked to end is killed; the rest is for the killing."""

_KILLING_S = 1.0


class Led(Protocol):
    """A command that leads a process group."""

    @property
    def group(self) -> int: ...

    @property
    def registered(self) -> bool: ...

    def end(self, grace_s: float) -> None: ...


class ProcessGroups:
    """Knows the commands that run, and the groups that live on after theirs. Every method is for any thread."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, Led] = {}
        self._left: set[int] = set()
        self._closed = False

    def check(self) -> None:
        """Raise StateError if nothing may be started any more."""
        if self._closed:
            raise StateError(
                "A command was started after the end of its run.",
                hint="A handler's threads must not go on when the handler has returned.",
            )

    def add(self, command: Led) -> None:
        """A command was started. Raises StateError if it came too late: then it is the caller's to end."""
        with self._lock:
            self.check()
            self._running[command.group] = command
        guard.add(command.group, told=command.registered)

    def done(self, command: Led, *, left: bool) -> None:
        """A command has ended and was reaped; `left` says whether processes of its group live on."""
        with self._lock:
            self._running.pop(command.group, None)
            if left and not self._closed:
                self._left.add(command.group)
        if not left:
            guard.remove(command.group)
            return
        guard.leave(command.group)
        if self._closed:
            end_sessions([command.group], 0.0)
            guard.remove(command.group)

    def close(self, grace_s: float) -> None:
        """Let nothing start any more, and end what there is like `end`."""
        with self._lock:
            self._closed = True
        self.end(grace_s)

    def end(self, grace_s: float) -> None:
        """End what there is, and return when it is gone; what is started meanwhile is not waited for.

        May be called again while another call still waits: ``end(0)`` then kills what that one waits for.

        Args:
            grace_s: Seconds until everything is gone; with 0 it is killed at once.
        """
        until = time.monotonic() + max(grace_s, _KILLING_S)
        with self._lock:
            running = list(self._running.values())
            left = list(self._left)
        if not running and not left:
            return  # most runs start no command
        for command in running:
            command.end(grace_s)
        end_sessions(still_ours(left), ASKED_NICELY * grace_s)
        wait_gone([command.group for command in running], until)
        for group in left:
            guard.remove(group)
        with self._lock:
            self._left.difference_update(left)

    def forget(self) -> None:
        """Drop everything: after a fork it is the parent's."""
        self._reset()


current_groups: ContextVar[ProcessGroups | None] = ContextVar("milo_current_groups", default=None)
"""Where the running code's commands are registered; None outside a run."""

_outside = ProcessGroups()


def groups_here() -> ProcessGroups:
    """The groups of the run that the code belongs to; outside a run those of this process, which the guard ends."""
    return current_groups.get() or _outside


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_outside.forget)
