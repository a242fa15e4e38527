"""The loop people write by hand: a TopologicalSorter, a thread pool, and a queue of what has ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import NamedTuple

from shapes import Graph, Handlers, Results


class Job(NamedTuple):
    """What is made before the clock starts."""

    graph: Graph
    handlers: Handlers
    workers: int
    sorter: TopologicalSorter[str]


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """The graph with its order checked."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    return Job(graph, handlers, workers, sorter)


def execute(job: Job) -> Results:
    """Run every handler as soon as what it needs is there."""
    graph, handlers, workers, sorter = job
    results: dict[str, int] = {}
    finished: SimpleQueue[tuple[str, int, BaseException | None]] = SimpleQueue()

    def call(name: str) -> None:
        try:
            finished.put((name, handlers[name]({other: results[other] for other in graph[name]}), None))
        except BaseException as error:  # noqa: BLE001 -- handed to the loop, which raises it
            finished.put((name, 0, error))

    with ThreadPoolExecutor(workers) as pool:
        while sorter.is_active():
            for name in sorter.get_ready():
                pool.submit(call, name)
            name, result, error = finished.get()
            if error is not None:
                raise error
            results[name] = result
            sorter.done(name)
    return results
