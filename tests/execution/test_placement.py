"""Which phases are handed to a place, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import milo
from milo import Phase, Pipeline, current_phase
from milo.errors import MiloError
from milo.execution.placement import PlacedWorkers, Work, WorkerError
from milo.saga.ports import Job
from milo.session import Session


class Elsewhere:
    """A place that notes what it is given and runs nothing."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.closed = False

    def check(self, name: str, handler: Callable[..., Any]) -> None:
        """Takes everything."""

    def run(self, work: Work, job: Job) -> Any:
        self.ran.append(work.name)
        work.emit(job, "stdout", "from there")
        if work.name == "fails":
            raise WorkerError("lost")
        return f"{current_phase().name} {work.number}"

    def abandon(self, job: Job) -> None:
        self.ran.append("abandoned")

    def close(self) -> None:
        self.closed = True


def test_a_phase_is_run_by_its_place_and_the_others_here() -> None:
    place = Elsewhere()
    workers = PlacedWorkers(2, {"there": place, "fails": place}.get, (place,))
    pipeline = Pipeline(
        "p",
        Phase("here", lambda: "here"),
        Phase("there", lambda: "not this"),
        Phase("fails", lambda: None, policy=milo.PhasePolicy("skip")),
    )
    result = Session(pipeline, executor=workers).run()
    assert result.results == {"here": "here", "there": "there 1"}
    assert result.state.phase("fails").error == "lost"
    assert [line.line for line in result.state.phase("there").logs] == ["from there"]
    assert place.ran == ["there", "fails"]
    assert place.closed


def test_a_worker_error_is_one_of_milos() -> None:
    assert issubclass(WorkerError, MiloError)
    assert WorkerError("x").code == "worker"
