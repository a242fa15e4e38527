"""Real processes under watch: marked through their environment, found in /proc, and an attempt that runs commands."""

from __future__ import annotations

import contextvars
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PROC = Path("/proc")
needs_proc = pytest.mark.skipif(not (PROC / "self/stat").exists(), reason="processes are found in /proc")

STUBBORN = """
trap '' TERM INT HUP
(trap '' TERM INT HUP; while :; do sleep 1000; done) &
(trap '' TERM INT HUP; sh -c "trap '' TERM; echo grandchild; while :; do sleep 1000; done") &
echo ready
while :; do sleep 1000; done
"""
"""A tree of shells that ignore every polite signal; it prints "ready" and "grandchild"."""


class Mark:
    """A variable that every process of a test inherits from the first."""

    def __init__(self) -> None:
        self.env = {"MILO_TEST_MARK": uuid.uuid4().hex}

    def processes(self) -> list[int]:
        """Those with the mark that run."""
        wanted = f"MILO_TEST_MARK={self.env['MILO_TEST_MARK']}".encode()
        found = []
        for path in PROC.iterdir():
            if path.name.isdigit() and int(path.name) != os.getpid():
                try:
                    if wanted in (path / "environ").read_bytes() and running(int(path.name)):
                        found.append(int(path.name))
                except OSError:
                    continue  # gone, or not ours
        return found

    def gone(self) -> bool:
        # Twice: a process that is just becoming another program shows no environment for a moment.
        return not self.processes() and not self.processes()


def running(pid: int) -> bool:
    try:
        ended = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
        # Its first thread may have ended before the others: the process has when it is the only one left.
        return not ended or len(list((PROC / str(pid) / "task").iterdir())) > 1
    except OSError:
        return False


def eventually(happens: Callable[[], object], within_s: float = 20.0) -> bool:
    """Whether something that another process does comes to pass."""
    until = time.monotonic() + within_s
    while not happens():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def work_of(handler: Callable[..., Any], emit: Callable[..., Any], *args: Any) -> Any:
    """An attempt of the phase "a", as far as a place knows one, whose lines go to `emit`."""
    return SimpleNamespace(
        name="a", number=1, run_id="r", capture=True, handler=handler, args=args, kwargs={}, emit=emit
    )


fake_phase: contextvars.ContextVar[FakeAttempt | None] = contextvars.ContextVar("fake_phase", default=None)


class FakeAttempt:
    """An attempt of a phase, as far as commands know one: it takes lines and can be cancelled."""

    name = "build"

    def __init__(self, grace_s: float = 5.0) -> None:
        self.grace_s = grace_s
        self.lines: list[tuple[str, str]] = []
        self.heard: Callable[[tuple[str, str]], object] = lambda line: None
        self.callbacks: list[Callable[[], None]] = []
        self.cancelled = False

    def emit(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))
        self.heard((stream, line))

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        if self.cancelled:
            callback()
            return lambda: None
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback) if callback in self.callbacks else None

    def cancel(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            while self.callbacks:
                self.callbacks.pop()()

    def run(self, work: Callable[[], Any]) -> Any:
        """Run something as a handler of the phase."""

        def call() -> Any:
            fake_phase.set(self)
            return work()

        return contextvars.copy_context().run(call)
