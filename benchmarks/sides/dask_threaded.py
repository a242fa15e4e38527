"""Dask's threaded scheduler on a graph written by hand, without its collections."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from shapes import Graph, Handlers, Results

REQUIRES = ("dask",)
DISTRIBUTION = "dask"

Job = tuple[dict[str, Any], list[str], int]


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """A tuple a task: the function, and the keys whose values it gets."""

    def caller(name: str) -> Any:
        def call(values: list[int]) -> int:
            return handlers[name](dict(zip(graph[name], values, strict=True)))

        return call

    tasks = {name: (caller(name), list(before)) for name, before in graph.items()}
    return tasks, list(graph), workers


def execute(job: Job) -> Results:
    """Compute all of them on a pool of threads."""
    tasks, names, workers = job
    values = import_module("dask.threaded").get(tasks, names, num_workers=workers)
    return dict(zip(names, values, strict=True))
