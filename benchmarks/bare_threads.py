"""One side of the comparison: the loop people write by hand, a TopologicalSorter and a thread pool."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import NamedTuple

from measure import measure
from shapes import Handler


class Job(NamedTuple):
    """What is made before the clock starts."""

    graph: Mapping[str, tuple[str, ...]]
    handlers: Mapping[str, Handler]
    sorter: TopologicalSorter[str]


def declare(graph: Mapping[str, tuple[str, ...]], handlers: Mapping[str, Handler]) -> Job:
    """The graph with its order checked."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    return Job(graph, handlers, sorter)


def execute(job: Job, workers: int) -> Mapping[str, int]:
    """Run every handler as soon as what it needs is there."""
    graph, handlers, sorter = job
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


if __name__ == "__main__":
    measure(declare, execute)
