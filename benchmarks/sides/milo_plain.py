"""milo as a program calls it: the handlers as phases, `run`, and nobody who watches."""

from __future__ import annotations

from milo import Phase, Pipeline, run
from shapes import Graph, Handlers, Results

Job = tuple[Pipeline, int]


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """The graph as a pipeline whose phases may all run beside each other."""
    phases = [Phase(name, handlers[name], depends_on=before, parallel=True) for name, before in graph.items()]
    return Pipeline("bench", *phases), workers


def execute(job: Job) -> Results:
    """Run it, and give the results once it has completed."""
    pipeline, workers = job
    result = run(pipeline, max_workers=workers)
    if not result.ok:
        raise AssertionError(f"the run ended {result.state.status}")
    return result.results
