"""The other side of the comparison: the same handlers as phases of a milo pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from measure import measure
from milo import Phase, Pipeline, run
from shapes import Handler


def declare(graph: Mapping[str, tuple[str, ...]], handlers: Mapping[str, Handler]) -> Pipeline:
    """The graph as a pipeline whose phases may all run beside each other."""
    return Pipeline(
        "bench",
        *(Phase(name, handlers[name], depends_on=before, parallel=True) for name, before in graph.items()),
    )


def execute(pipeline: Pipeline, workers: int) -> Mapping[str, int]:
    """Run it, and give the results once it has completed."""
    result = run(pipeline, max_workers=workers)
    if not result.ok:
        raise AssertionError(f"the run ended {result.state.status}")
    return result.results


if __name__ == "__main__":
    measure(declare, execute)
