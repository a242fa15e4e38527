"""Runs of a few phases, for what is to be seen of them; and programs that run some."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import milo
from milo import Action, Phase, PhasePolicy, Pipeline, RunResult
from milo.pipeline import PHASE_LOG
from milo.session import Session

SKIP = PhasePolicy("skip")


def run(*phases: Phase, **options: Any) -> RunResult:
    return milo.run(Pipeline("p", *phases, capture_output=True), **{"executor": "processes", **options})


def cancelled_at(line: str, *phases: Phase, executor: object = "processes", grace: float = 30.0) -> RunResult:
    """Run phases and cancel the run when one of them prints a line."""

    def middleware(next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            if action.type == PHASE_LOG and action.payload["line"] == line:
                session.cancel()
            return next_dispatch(action)

        return dispatch

    pipeline = Pipeline("p", *phases, capture_output=True)
    session = Session(pipeline, executor=executor, grace=grace, middleware=[middleware])
    result = session.run()
    assert result.state.status == "cancelled"
    return result


def lines(result: RunResult, name: str, stream: str = "stdout") -> list[str]:
    return [each.line for each in result.state.phase(name).logs if each.stream == stream]


def start(*command: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
