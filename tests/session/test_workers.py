"""The workers of a run, and what is left of a run that is refused with them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, Pipeline
from milo.errors import MiloError, PipelineError, StateError
from milo.execution import ThreadWorkers
from milo.execution.placement import PlacedWorkers
from milo.session.workers import released_on_error, workers_for
from tests.execution import elsewhere

from .helpers import one

needs_processes = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


def test_threads_are_the_default() -> None:
    workers = workers_for(None, one(elsewhere.pid), max_workers=3)
    assert (type(workers), workers.workers) == (ThreadWorkers, 3)


@needs_processes
@pytest.mark.parametrize(
    ("executor", "runs_on"), [("processes", None), ("threads", "process"), (None, "process")]
)
def test_phases_go_where_the_run_or_they_themselves_say(executor: str | None, runs_on: str | None) -> None:
    workers = workers_for(executor, one(elsewhere.pid, runs_on=runs_on))
    assert type(workers) is PlacedWorkers
    workers.close()


def test_workers_that_are_ready_are_given_back() -> None:
    ready = ThreadWorkers(1)
    assert workers_for(ready, one(elsewhere.pid)) is ready


def test_an_executor_that_there_is_not_is_refused() -> None:
    with pytest.raises(StateError, match="executor must name an executor or be one, got 'clouds'"):
        workers_for("clouds", one(elsewhere.pid))


def test_workers_of_a_run_that_is_not_begun_are_closed() -> None:
    closed: list[int] = []

    class Noting(ThreadWorkers):
        def close(self) -> None:
            closed.append(1)
            super().close()

    with pytest.raises(KeyError), released_on_error(Noting(1)):
        raise KeyError
    with released_on_error(Noting(1)):
        pass
    assert closed == [1]


@needs_processes
@pytest.mark.parametrize("options", [{"executor": "clouds"}, {"executor": "processes"}])
def test_a_run_that_is_refused_for_its_executor_is_not_recorded(tmp_path: Path, options: Any) -> None:
    pipeline = Pipeline("p", Phase("a", lambda: None))
    journal = tmp_path / "runs.db"
    with pytest.raises((StateError, PipelineError)):
        milo.run(pipeline, journal=journal, **options)
    with pytest.raises(MiloError):
        asyncio.run(milo.arun(pipeline, journal=journal, **options))
    assert not journal.exists()
