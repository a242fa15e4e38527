"""Prints what phases in worker processes cost beside a bare `ProcessPoolExecutor`: work, no-ops, and data.

Both sides have two worker processes, take turns, and are asked for the same results, which are checked. What a no-op
costs is told without the start of the workers; what the start costs is told by itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial

import milo
from elsewhere_sides import after_warm, check, compute, give, loop, phase, step, submit_all, take, warm
from milo import Phase, Pipeline
from shapes import SHAPES, Graph, dependencies

WORKERS = 2
LEAST_SPEED_UP = 0.85
MOST_COST = 1.3
MEGABYTE = 1_000_000
WARM = tuple(f"warm{number}" for number in range(WORKERS))


def main() -> int:
    """Measure in turns; returns 1 if a limit does not hold."""
    options = _options()
    _compile()
    holds = True
    for part in options.part or ("work", "noops", "data", "start"):
        holds &= {"work": work, "noops": noops, "data": data, "start": start}[part](options)
    return int(not holds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=2000, help="no-op phases (default: 2000)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work-ms", type=int, default=400, help="how long each of the 8 phases computes")
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--part", action="append", choices=("work", "noops", "data", "start"))
    return parser.parse_args()


def _compile() -> None:
    """Keep what milo's workers load as bytecode, as it is where milo is installed, else each start would compile it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", "import milo.execution.processes.worker"], env=env, check=True)


def work(options: argparse.Namespace) -> bool:
    """Eight equal phases that compute; the workers' start is included on both sides."""
    steps = _calibrated(options.work_ms / 1000)
    phases = [Phase(f"p{number}", partial(compute, steps), parallel=True) for number in range(8)]
    pipeline = Pipeline("work", *phases)

    def serial() -> list[int]:
        return [compute(steps) for _ in range(8)]

    def bare() -> list[int]:
        with _pool() as pool:
            return list(pool.map(compute, [steps] * 8))

    def ours() -> list[int]:
        return list(_run(pipeline).results.values())

    print("## Work\n\n8 equal phases that compute, two workers, their start included.\n")
    took = _in_turns(max(3, options.rounds // 2), {"serial": serial, "bare": bare, "milo": ours})
    faster = {
        side: [one / other for one, other in zip(took["serial"], took[side], strict=True)] for side in took
    }
    print("| side | seconds | speed-up |\n|---|---|---|")
    for side in took:
        print(f"| {side} | {statistics.median(took[side]):.2f} | {_told(faster[side])} |")
    share = [one / other for one, other in zip(faster["milo"], faster["bare"], strict=True)]
    return _verdict("milo's share of the bare speed-up", share, LEAST_SPEED_UP, at_least=True)


def noops(options: argparse.Namespace) -> bool:
    """Graphs of phases that do next to nothing; the workers have started before."""
    print(f"\n## No-ops\n\n{options.count} phases, microseconds a phase.\n")
    print("| shape | milo | hand-written loop | ratio | submit-all | ratio |\n|---|---|---|---|---|---|")
    holds = True
    with _pool() as pool:
        for shape in SHAPES:
            graph = dependencies(shape, options.count)
            sides: dict[str, Callable[[], float]] = {
                "milo": partial(_noops_of_milo, graph),
                "loop": partial(_noops_of, loop, pool, graph),
            }
            if shape == "wide":
                sides["submit"] = partial(_noops_of, submit_all, pool, graph)
            took: dict[str, list[float]] = {side: [] for side in sides}
            for turn in range(options.rounds + 1):
                for side, run in sides.items():
                    seconds = run()
                    if turn:  # the first warms up
                        took[side].append(seconds / len(graph) * 1e6)
            ratio = _ratios(took["milo"], took["loop"])
            cells = [
                shape,
                f"{statistics.median(took['milo']):.0f}",
                f"{statistics.median(took['loop']):.0f}",
            ]
            cells.append(_told(ratio))
            if "submit" in took:
                cells += [
                    f"{statistics.median(took['submit']):.0f}",
                    _told(_ratios(took["milo"], took["submit"])),
                ]
            print("| " + " | ".join(cells) + " |", flush=True)
            holds &= statistics.median(ratio) <= MOST_COST
    print(f"\nNo shape shall cost more than {MOST_COST} times the loop: {'holds' if holds else 'FAILS'}.")
    return holds


def data(options: argparse.Namespace) -> bool:
    """One large result, and one large value that a phase is given."""
    size = options.megabytes * MEGABYTE
    print(f"\n## Data\n\n{options.megabytes} MB of bytes, milliseconds.\n")
    print("| what | milo | bare | ratio |\n|---|---|---|---|")
    giving = Phase("give", partial(give, size), depends_on=WARM)
    pipelines = {
        "a result": _warmed("data", giving),
        "what a phase is given": _warmed(
            "data", Phase("give", partial(give, size), depends_on=WARM, runs_on="thread"), _taking()
        ),
    }
    value = give(size)
    with _pool() as pool:
        bares = {
            "a result": lambda: len(pool.submit(give, size).result()),
            "what a phase is given": lambda: pool.submit(take, value).result(),
        }
        for what, pipeline in pipelines.items():
            took: dict[str, list[float]] = {"milo": [], "bare": []}
            for turn in range(options.rounds + 1):
                ours_s = _took(_run(pipeline), [pipeline.phases[-1].name])
                began = time.perf_counter()
                assert bares[what]() == size
                bare_s = time.perf_counter() - began
                if turn:
                    took["milo"].append(ours_s * 1e3)
                    took["bare"].append(bare_s * 1e3)
            medians = [f"{statistics.median(took[side]):.0f}" for side in ("milo", "bare")]
            print(
                f"| {what} | {' | '.join(medians)} | {_told(_ratios(took['milo'], took['bare']))} |",
                flush=True,
            )
    return True


def start(options: argparse.Namespace) -> bool:
    """A run of one phase: what the first worker costs, and how it is with one that was there."""
    print("\n## Start\n\nA run of one no-op phase, milliseconds.\n")
    print("| side | median (range) |\n|---|---|")
    pipeline = Pipeline("one", Phase("p", partial(step, 1)))
    sides: dict[str, Callable[[], object]] = {
        "milo, processes": lambda: _run(pipeline),
        "milo, threads": lambda: milo.run(pipeline),
    }
    for method in ("spawn", "forkserver", "fork"):
        sides[f"bare, {method}"] = partial(_one_in_a_pool, method)
    for side, seconds in _in_turns(options.rounds, sides).items():
        print(f"| {side} | {_told([1e3 * each for each in seconds], 0)} |")
    return True


def _calibrated(seconds: float) -> int:
    began = time.perf_counter()
    compute(1_000_000)
    return max(1, int(1_000_000 * seconds / (time.perf_counter() - began)))


def _taking() -> Phase:
    return Phase("take", take, depends_on=("give",))


def _warmed(name: str, *phases: Phase) -> Pipeline:
    return Pipeline(name, *(Phase(each, warm, parallel=True) for each in WARM), *phases)


def _run(pipeline: Pipeline) -> milo.RunResult:
    result = milo.run(pipeline, executor="processes", max_workers=WORKERS)
    assert result.ok
    return result


def _took(result: milo.RunResult, names: Sequence[str]) -> float:
    """Seconds from the first start to the last end of some phases."""
    phases = [result.state.phase(name) for name in names]
    return max(each.started_at + each.elapsed for each in phases) - min(each.started_at for each in phases)


def _noops_of_milo(graph: Graph) -> float:
    phases = [
        Phase(
            name,
            partial(phase if before else after_warm, 31 * number + 1),
            depends_on=before or WARM,
            parallel=True,
        )
        for number, (name, before) in enumerate(graph.items())
    ]
    result = _run(_warmed("noops", *phases))
    check(graph, result.results)
    return _took(result, list(graph))


def _noops_of(run: Callable[[Executor, Graph], dict[str, int]], pool: Executor, graph: Graph) -> float:
    began = time.perf_counter()
    results = run(pool, graph)
    took_s = time.perf_counter() - began
    check(graph, results)
    return took_s


def _pool(method: str | None = None) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(method))


def _one_in_a_pool(method: str) -> int:
    with _pool(method) as pool:
        return pool.submit(step, 1).result()


def _in_turns(rounds: int, sides: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, run in sides.items():
            began = time.perf_counter()
            run()
            took[side].append(time.perf_counter() - began)
    return took


def _ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _told(values: list[float], digits: int = 2) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def _verdict(what: str, values: list[float], limit: float, *, at_least: bool) -> bool:
    median = statistics.median(values)
    holds = median >= limit if at_least else median <= limit
    word = "at least" if at_least else "at most"
    print(f"\n{what}: {_told(values)}, {word} {limit} wanted: {'holds' if holds else 'FAILS'}.", flush=True)
    return holds


if __name__ == "__main__":
    sys.exit(main())
