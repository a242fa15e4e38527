"""Measures one side in a process of its own: `measure.py SIDE SHAPE:COUNT...` prints a line of JSON for each."""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from typing import Any

from shapes import Graph, check, dependencies, handlers

WARM_UP_PHASES = 50
ENOUGH_S = 1.0
STATUS_TOO_LONG = 75


def main() -> int:
    """Measure what the command line asks for."""
    options = _options()
    wire = os.dup(1)
    # A peer may print what it likes: the lines of JSON have a descriptor of their own.
    os.dup2(2, 1)
    with redirect_stdout(sys.stderr):
        started = time.perf_counter()
        side = import_module(f"sides.{options.side}")
        _once(side, dependencies("layers", WARM_UP_PHASES), options.workers, _no_limit)
        _tell(wire, {"side": options.side, "startup_s": time.perf_counter() - started, **_facts(side)})
        for shape, count in options.cells:
            _tell(wire, {"shape": shape, "count": count, **_cell(side, shape, count, options, wire)})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", help="a module of the folder sides")
    parser.add_argument("cells", nargs="+", type=_cell_of, metavar="SHAPE:COUNT")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3, help="at most this many runs of a cell")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a run is given up")
    return parser.parse_args()


def _cell_of(text: str) -> tuple[str, int]:
    shape, _, count = text.partition(":")
    return shape, int(count)


def _facts(side: Any) -> dict[str, Any]:
    distribution = getattr(side, "DISTRIBUTION", None)
    return {"version": version(distribution) if distribution else "", "note": getattr(side, "NOTE", "")}


def _cell(side: Any, shape: str, count: int, options: argparse.Namespace, wire: int) -> dict[str, float]:
    """Run one graph until it was run often or long enough; the medians."""
    graph = dependencies(shape, count)

    @contextmanager
    def limit() -> Any:
        def give_up() -> None:
            _tell(wire, {"shape": shape, "count": count, "over_s": options.limit})
            os._exit(STATUS_TOO_LONG)

        timer = threading.Timer(options.limit, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    samples: list[dict[str, float]] = []
    began = time.perf_counter()
    while len(samples) < options.repeats and (not samples or time.perf_counter() - began < ENOUGH_S):
        samples.append(_once(side, graph, options.workers, limit))
    return {key: statistics.median([sample[key] for sample in samples]) for key in samples[0]}


@contextmanager
def _no_limit() -> Any:
    yield


def _once(side: Any, graph: Graph, workers: int, limit: Callable[[], Any]) -> dict[str, float]:
    calls: list[str] = []
    made = handlers(graph, calls)
    gc.collect()
    held = _reset_peak()
    start = time.perf_counter()
    job = side.declare(graph, made, workers)
    declared = time.perf_counter()
    used = time.process_time()
    with limit():
        ran = time.perf_counter()
        results = side.execute(job)
        ended = time.perf_counter()
    used = time.process_time() - used
    peak = _peak()
    check(graph, calls, results)
    count = len(graph)
    return {
        "declare_us": (declared - start) / count * 1e6,
        "run_us": (ended - ran) / count * 1e6,
        "cpu_us": used / count * 1e6,
        "bytes": (peak - held) / count,
    }


def _tell(wire: int, record: dict[str, Any]) -> None:
    os.write(wire, json.dumps(record).encode() + b"\n")


def _reset_peak() -> int:
    """Forget the most memory held so far, where the system can; returns what is held now, in bytes."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return _peak()


def _peak() -> int:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    sys.exit(main())
