"""luigi with its local scheduler and one worker, for more workers are more processes."""

from __future__ import annotations

import itertools
import logging
from importlib import import_module
from typing import Any

from shapes import Graph, Handlers, Results

REQUIRES = ("luigi",)
DISTRIBUTION = "luigi"
NOTE = "one worker"

Job = tuple[list[Any], dict[str, int]]

_numbers = itertools.count()


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """A task class that looks its phase up, and a task for each phase."""
    luigi = import_module("luigi")
    logging.getLogger("luigi").setLevel(logging.CRITICAL)
    logging.getLogger("luigi-interface").setLevel(logging.CRITICAL)
    results: dict[str, int] = {}

    def requires(self: Any) -> list[Any]:
        return [task(phase=other) for other in graph[self.phase]]

    def complete(self: Any) -> bool:
        return self.phase in results

    def run(self: Any) -> None:
        results[self.phase] = handlers[self.phase]({other: results[other] for other in graph[self.phase]})

    # A class of its own each time: luigi keeps the tasks that it has made by class and parameters.
    members = {"phase": luigi.Parameter(), "requires": requires, "complete": complete, "run": run}
    task = type(luigi.Task)(f"Bench{next(_numbers)}", (luigi.Task,), members)
    return [task(phase=name) for name in graph], results


def execute(job: Job) -> Results:
    """Build all of them."""
    tasks, results = job
    built = import_module("luigi").build(
        tasks, local_scheduler=True, workers=1, no_lock=True, log_level="CRITICAL"
    )
    if not built:
        raise AssertionError("luigi did not complete")
    return results
