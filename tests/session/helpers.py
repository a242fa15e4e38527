"""Pipelines of one phase, and calls that may hang, for the tests of runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import milo
from milo import Phase, Pipeline

WAIT_S = 30


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
