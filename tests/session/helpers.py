"""Pipelines of one phase, and calls that may hang, for the tests of runs."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import milo
from milo import Phase, Pipeline
from milo.clock import SystemClock, Timer

WAIT_S = 30


class LimitsByHand(SystemClock):
    """A clock on which a limit is up when a test says so, however slow the machine is: the one that was set first."""

    def __init__(self) -> None:
        super().__init__()
        self._limits: queue.SimpleQueue[Timer] = queue.SimpleQueue()

    def call_at(self, due: float, callback: Callable[[], None]) -> Timer:
        if due <= self.now():
            return super().call_at(due, callback)
        timer = Timer(due, callback)
        self._limits.put(timer)
        return timer

    def up(self) -> None:
        self.call_soon(self._limits.get(timeout=WAIT_S).fire)


def one(handler: Callable[..., Any], **fields: Any) -> Pipeline:
    return Pipeline("p", Phase("it", handler, **fields))


def raising(error: BaseException) -> Callable[[], None]:
    def handler() -> None:
        raise error

    return handler


def in_thread(function: Callable[[], Any]) -> Any:
    """Call `function` in a thread of its own and give back what it returned or raised."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - it is handed to the test
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert outcome, "it hangs"
    return outcome[0]


def in_process(program: str, mark: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a Python program that can import milo; whoever calls this waits for it."""
    source = str(Path(milo.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": source, **(mark or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome_of(program: str) -> tuple[str, str, int]:
    """Run a Python program that can import milo; what it wrote to stdout and stderr, and its status."""
    with in_process(program) as process:
        try:
            out, errors = process.communicate(timeout=2 * WAIT_S)
        finally:
            process.kill()
    return out, errors, process.returncode
