"""doit in this process, on threads, with its database in a temporary file; values pass through a dictionary."""

from __future__ import annotations

import itertools
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from shapes import Graph, Handlers, Results

REQUIRES = ("doit",)
DISTRIBUTION = "doit"

Job = tuple[Any, dict[str, int]]

_folder = tempfile.TemporaryDirectory(prefix="bench-doit-")
_numbers = itertools.count()


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """A task a phase, and doit's command line around them."""
    make_task = import_module("doit.task").dict_to_task
    results: dict[str, int] = {}

    def action(name: str) -> Any:
        def act() -> bool:
            results[name] = handlers[name]({other: results[other] for other in graph[name]})
            return True

        return act

    tasks = [
        make_task({"name": name, "actions": [action(name)], "task_dep": list(before)})
        for name, before in graph.items()
    ]
    settings = {
        "verbosity": 0,
        "reporter": "zero",
        "backend": "json",
        "dep_file": str(Path(_folder.name) / f"{next(_numbers)}.json"),
        "num_process": workers,
        "par_type": "thread",
    }
    return _command(tasks, settings), results


def _command(tasks: list[Any], settings: dict[str, Any]) -> Any:
    class Loader(import_module("doit.cmd_base").TaskLoader2):  # type: ignore[misc]
        def setup(self, opt_values: Any) -> None:
            """Nothing has to be prepared."""

        def load_doit_config(self) -> dict[str, Any]:
            return settings

        def load_tasks(self, cmd: Any, pos_args: Any) -> list[Any]:
            return tasks

    return import_module("doit.doit_cmd").DoitMain(Loader())


def execute(job: Job) -> Results:
    """What `doit run` does."""
    command, results = job
    status = command.run(["run"])
    if status:
        raise AssertionError(f"doit ended with status {status}")
    return results
