"""Measures one side in its own process: `SIDE.py SHAPE COUNT WORKERS REPEATS` prints a line of JSON."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from shapes import Handler, check, dependencies, handlers

Job = TypeVar("Job")
Declare = Callable[[Mapping[str, tuple[str, ...]], Mapping[str, Handler]], Job]
Execute = Callable[[Job, int], Mapping[str, int]]

WARM_UP_PHASES = 50


def measure(declare: Declare[Job], execute: Execute[Job]) -> None:
    """Declare and run the graph named on the command line, check it, and print the medians."""
    shape, count, workers, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    _once(dependencies("layers", WARM_UP_PHASES), workers, declare, execute)
    graph = dependencies(shape, count)
    samples = [_once(graph, workers, declare, execute) for _ in range(repeats)]
    print(
        json.dumps(
            {
                "declare_us": statistics.median(declared for declared, _ in samples) / count * 1e6,
                "run_us": statistics.median(ran for _, ran in samples) / count * 1e6,
                "peak_mb": _peak_mb(),
            }
        )
    )


def _once(
    graph: Mapping[str, tuple[str, ...]], workers: int, declare: Declare[Job], execute: Execute[Job]
) -> tuple[float, float]:
    calls: list[str] = []
    made = handlers(graph, calls)
    gc.collect()
    start = time.perf_counter()
    job = declare(graph, made)
    declared = time.perf_counter()
    results = execute(job, workers)
    ended = time.perf_counter()
    check(graph, calls, results)
    return declared - start, ended - declared


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
