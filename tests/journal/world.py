"""What the journal's tests share: small pipelines, their actions, and journals recorded from real runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from milo import Action, Phase, Pipeline, PipelineState
from milo.journal.database import open_reader
from milo.journal.declared import About, declare
from milo.journal.history import find
from milo.journal.journal import Journal
from milo.journal.recorder import Recorder
from milo.journal.replay import Replay, replay
from milo.journal.run_rows import RunRows


def nothing() -> None:
    """A handler."""


def pipeline_of(*names: str, name: str = "p", max_logs: int = 200, **more: Any) -> Pipeline:
    """A chain of phases."""
    phases = [
        Phase(each, nothing, depends_on=names[at - 1 : at] if at else (), max_logs=max_logs, **more)
        for at, each in enumerate(names)
    ]
    return Pipeline(name, *phases)


def about(pipeline: Pipeline, **more: Any) -> About:
    return About(pipeline.name, time=more.pop("time", 1000.0), **more)


def begin(
    path: Path, pipeline: Pipeline, run: str = "r1", *, journal: Journal | None = None, **more: Any
) -> Recorder:
    """Begin to record a run of a pipeline."""
    journal = journal or Journal(path)
    return journal.begin(run, about(pipeline, **more), declare(pipeline))


def start(at: float = 1.0, **more: Any) -> Action:
    return Action("@@PIPELINE_START", {"at": at, "time": 5.0, "run_id": "r1", **more})


def started(name: str, at: float = 1.0, attempt: int = 1) -> Action:
    return Action("@@PHASE_START", {"name": name, "attempt": attempt, "at": at})


def completed(name: str, result: Any = None, at: float = 2.0) -> Action:
    return Action("@@PHASE_COMPLETE", {"name": name, "result": result, "at": at})


def failed(name: str, error: str = "bad", at: float = 2.0) -> Action:
    return Action("@@PHASE_FAILED", {"name": name, "error": error, "at": at})


def skipped(name: str, error: str = "bad", at: float = 2.0) -> Action:
    return Action("@@PHASE_SKIPPED", {"name": name, "error": error, "at": at})


def printed(name: str, line: str, stream: str = "stdout", timestamp: float = 1.5) -> Action:
    return Action("@@PHASE_LOG", {"name": name, "line": line, "stream": stream, "timestamp": timestamp})


def complete(at: float = 9.0) -> Action:
    return Action("@@PIPELINE_COMPLETE", {"at": at})


def ended(status: str = "failed", at: float = 9.0) -> Action:
    return Action("@@PIPELINE_END", {"status": status, "at": at})


def state_of(
    pipeline: Pipeline, actions: Sequence[Action], state: PipelineState | None = None
) -> PipelineState:
    """The live state after these actions."""
    reducer = pipeline.build_reducer()
    state = reducer(state, Action("@@INIT"))
    for action in actions:
        state = reducer(state, action)
    return state


def replayed(path: Path, run: str | None = None) -> tuple[Replay, RunRows]:
    """A run as a reader in another process would find it."""
    connection = open_reader(path)
    try:
        return replay(connection, find(connection, path, run))
    finally:
        connection.close()
