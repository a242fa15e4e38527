"""Prints what a phase costs on a Dask cluster beside bare `client.submit` on the same one.

The cluster has two processes with one thread each. The bare side submits the whole graph with futures as arguments, so
that Dask does everything without asking back, and gathers the results. milo runs the same functions with the same
cluster's address as its executor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import milo
from milo import Phase, Pipeline
from shapes import MODULUS, SHAPES, Graph, dependencies

WORKERS = 2
LIMIT = 1.3


def main() -> int:
    """Measure in turns; returns 1 if a phase costs more than `LIMIT` times what it costs bare."""
    from distributed import Client, LocalCluster

    options = _options()
    made: Any = LocalCluster
    client_of: Any = Client
    print("| shape | milo, ms a phase | bare, ms a task | ratio (range) |\n|---|---|---|---|")
    worst = 0.0
    with (
        made(WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster,
        client_of(cluster) as client,
    ):
        address = f"dask:{cluster.scheduler_address}"
        for shape in options.shape or SHAPES:
            graph = dependencies(shape, options.count)
            ours, theirs = [], []
            for turn in range(options.rounds + 1):
                bare_s = _timed(graph, partial(_bare, client))
                milo_s = _timed(graph, partial(_milo, address))
                if turn:  # the first warms up
                    theirs.append(bare_s / len(graph) * 1e3)
                    ours.append(milo_s / len(graph) * 1e3)
            ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
            worst = max(worst, statistics.median(ratios))
            print(
                f"| {shape} | {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} "
                f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
                flush=True,
            )
    started = time.perf_counter()
    milo.run(Pipeline("one", Phase("one", partial(_step, 1))), executor="dask", max_workers=WORKERS)
    print(f"\nA run of one phase on a cluster of its own: {time.perf_counter() - started:.2f} s in all.")
    print(f"The dearest shape costs {worst:.2f} times bare `client.submit`; the limit is {LIMIT}.")
    return int(worst > LIMIT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=1000, help="how many phases (default: 1000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", action="append", choices=SHAPES)
    return parser.parse_args()


def _step(number: int, *before: int) -> int:
    return (number + sum(before)) % MODULUS


def _phase(number: int, context: Any) -> int:
    return _step(number, *context.values())


def _timed(graph: Graph, run: Callable[[Graph], dict[str, int]]) -> float:
    start = time.perf_counter()
    results = run(graph)
    took_s = time.perf_counter() - start
    wanted: dict[str, int] = {}
    for number, (name, before) in enumerate(graph.items()):
        wanted[name] = _step(31 * number + 1, *[wanted[other] for other in before])
    assert results == wanted
    return took_s


def _bare(client: Any, graph: Graph) -> dict[str, int]:
    futures: dict[str, Any] = {}
    for number, (name, before) in enumerate(graph.items()):
        waits_for = [futures[other] for other in before]
        futures[name] = client.submit(_step, 31 * number + 1, *waits_for, pure=False)
    names = list(futures)
    return dict(zip(names, client.gather([futures[name] for name in names]), strict=True))


def _milo(address: str, graph: Graph) -> dict[str, int]:
    phases = [
        Phase(name, partial(_phase, 31 * number + 1), depends_on=before, parallel=True)
        for number, (name, before) in enumerate(graph.items())
    ]
    result = milo.run(Pipeline("bench", *phases), executor=address)
    assert result.ok
    return result.results


if __name__ == "__main__":
    sys.exit(main())
