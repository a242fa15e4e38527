"""The floor without threads: a TopologicalSorter, and every handler called where it stands."""

from __future__ import annotations

from graphlib import TopologicalSorter

from shapes import Graph, Handlers, Results

Job = tuple[Graph, Handlers, "TopologicalSorter[str]"]


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """The graph, ready to be sorted."""
    return graph, handlers, TopologicalSorter(graph)


def execute(job: Job) -> Results:
    """One handler after the other, in an order that the graph allows."""
    graph, handlers, sorter = job
    results: dict[str, int] = {}
    for name in sorter.static_order():
        results[name] = handlers[name]({other: results[other] for other in graph[name]})
    return results
