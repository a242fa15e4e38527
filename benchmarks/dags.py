"""Prints how good milo's schedule is: the makespan of real graphs beside a critical-path-first list schedule.

Usage: dags.py [FOLDER] with files `{"tasks": [{"id", "deps", "runtime_s"}]}` (.json or .json.gz); without a folder some
made graphs. The recorded times are run in virtual time with 2, 4 and 8 workers, and as scaled sleeps with as many
workers as --real says.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import milo.testing
from milo import Phase, Pipeline, run

WORKERS = (2, 4, 8)
REAL_TOTAL_S = 4.0


class Graph(NamedTuple):
    """Tasks with their dependencies and seconds, in an order in which they could run."""

    name: str
    needs: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, float]


def main() -> int:
    """Measure every graph."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("MILO_DAGS"))
    parser.add_argument(
        "--real", type=int, default=4, help="workers for the real sleeps; 0 for none (default: 4)"
    )
    options = parser.parse_args()
    graphs = list(_read(Path(options.folder))) if options.folder else [_made(seed) for seed in range(6)]
    worst = 0.0
    print(f"{'graph':38}{'tasks':>6}" + "".join(f"{f'{n} workers':>12}" for n in WORKERS) + f"{'real':>8}")
    for graph in graphs:
        ratios = [_virtual(graph, workers) / list_schedule(graph, workers) for workers in WORKERS]
        real = f"{_real(graph, options.real):8.2f}" if options.real else ""
        worst = max(worst, *ratios)
        print(
            f"{graph.name[:37]:38}{len(graph.needs):6}" + "".join(f"{each:12.3f}" for each in ratios) + real,
            flush=True,
        )
    print(f"the worst in virtual time: {worst:.3f} of the list schedule")
    return 0


def _read(folder: Path) -> Iterator[Graph]:
    for path in sorted(folder.glob("*.json*")):
        data = path.read_bytes()
        tasks = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)["tasks"]
        names = {task["id"]: f"t{number}" for number, task in enumerate(tasks)}
        needs = {
            names[task["id"]]: tuple(dict.fromkeys(names[each] for each in task["deps"])) for task in tasks
        }
        seconds = {names[task["id"]]: float(task["runtime_s"] or 1.0) for task in tasks}
        yield Graph(path.name.split(".")[0], needs, seconds)


def _made(seed: int) -> Graph:
    """A graph of 300 tasks in some layers, with times that differ as those of real ones do."""
    chance = random.Random(seed)
    needs: dict[str, tuple[str, ...]] = {}
    for number in range(300):
        before = range(max(0, number - 40), number)
        needs[f"t{number}"] = tuple(
            f"t{each}" for each in chance.sample(before, min(len(before), chance.randrange(4)))
        )
    return Graph(f"made-{seed}", needs, {name: chance.lognormvariate(0, 1) for name in needs})


def list_schedule(graph: Graph, workers: int) -> float:
    """The makespan of list scheduling, the longest remaining path first (Graham 1966; Hu 1961)."""
    rank = _ranks(graph)
    missing = {name: len(needs) for name, needs in graph.needs.items()}
    after: dict[str, list[str]] = {name: [] for name in graph.needs}
    for name, needs in graph.needs.items():
        for each in needs:
            after[each].append(name)
    ready = [(-rank[name], name) for name, count in missing.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + graph.seconds[name], name))
        now, ended = heapq.heappop(running)
        for name in after[ended]:
            missing[name] -= 1
            if not missing[name]:
                heapq.heappush(ready, (-rank[name], name))
    return now


def _ranks(graph: Graph) -> dict[str, float]:
    rank = dict(graph.seconds)
    for name in reversed(_in_order(graph)):
        for each in graph.needs[name]:
            rank[each] = max(rank[each], graph.seconds[each] + rank[name])
    return rank


def _in_order(graph: Graph) -> list[str]:
    from graphlib import TopologicalSorter

    return list(TopologicalSorter(graph.needs).static_order())


def _pipeline(graph: Graph, handler: Callable[[str], Callable[[], None]]) -> Pipeline:
    phases = [
        Phase(name, handler(name), depends_on=needs, parallel=True, weight=graph.seconds[name])
        for name, needs in graph.needs.items()
    ]
    return Pipeline(graph.name, *phases)


def _virtual(graph: Graph, workers: int) -> float:
    result = milo.testing.run(
        _pipeline(graph, lambda name: _nothing), durations=graph.seconds, max_workers=workers
    )
    assert result.ok
    return result.state.elapsed


def _real(graph: Graph, workers: int) -> float:
    scale = REAL_TOTAL_S / sum(graph.seconds.values())

    def handler(name: str) -> Callable[[], None]:
        return lambda: time.sleep(graph.seconds[name] * scale)

    start = time.perf_counter()
    assert run(_pipeline(graph, handler), max_workers=workers).ok
    return (time.perf_counter() - start) / (list_schedule(graph, workers) * scale)


def _nothing() -> None:
    """A handler of a run in virtual time."""


if __name__ == "__main__":
    sys.exit(main())
