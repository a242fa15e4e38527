"""Prints what a phase costs with milo and with a hand-written thread loop, and the ratio of the two.

Both sides run in turn, each time in a fresh process, so that a slow minute of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shapes import SHAPES

HERE = Path(__file__).resolve().parent
SIDES = ("bare_threads", "milo_run")
USUAL_COUNTS = (1_000, 10_000)
FULL_COUNTS = (1_000, 10_000, 100_000)


def main() -> int:
    """Measure every shape and count that was asked for, a line each."""
    options = _options()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, {options.workers} workers; "
        f"µs a phase, medians of {options.pairs} pairs"
    )
    print(
        f"{'shape':8}{'phases':>8}{'bare threads':>14}{'milo':>9}{'ratio':>8}  {'(range)':14}"
        f"{'declare':>8}{'peak MB':>9}"
    )
    for count in options.counts:
        for shape in options.shapes:
            print(_row(shape, count, options.workers, options.pairs), flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "counts", nargs="*", type=_at_least(3), help="numbers of phases (default: 1000 10000)"
    )
    parser.add_argument("--full", action="store_true", help="1000, 10000 and 100000 phases")
    parser.add_argument("--shape", dest="shapes", action="append", choices=SHAPES, help="only this shape")
    parser.add_argument("--workers", type=_at_least(1), default=4, help="threads on each side (default: 4)")
    parser.add_argument(
        "--pairs", type=_at_least(1), default=5, help="how often both are measured (default: 5)"
    )
    options = parser.parse_args()
    options.counts = options.counts or (FULL_COUNTS if options.full else USUAL_COUNTS)
    options.shapes = options.shapes or SHAPES
    return options


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}; got {text!r}")
        return int(text)

    return number


def _row(shape: str, count: int, workers: int, pairs: int) -> str:
    samples: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for turn in range(pairs):
        # Who goes second finds a warmer machine, so the sides take turns.
        for side in SIDES if turn % 2 == 0 else reversed(SIDES):
            samples[side].append(_measure(side, shape, count, workers))
    bare, milo = ([sample["run_us"] for sample in samples[side]] for side in SIDES)
    ratios = [ours / theirs for ours, theirs in zip(milo, bare, strict=True)]
    spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
    declare = statistics.median(sample["declare_us"] for sample in samples["milo_run"])
    peak = max(sample["peak_mb"] for sample in samples["milo_run"])
    return (
        f"{shape:8}{count:>8,}{statistics.median(bare):>14.1f}{statistics.median(milo):>9.1f}"
        f"{statistics.median(ratios):>8.2f}  {spread:14}{declare:>8.1f}{peak:>9.0f}"
    )


def _measure(side: str, shape: str, count: int, workers: int) -> dict[str, float]:
    repeats = 3 if count <= 10_000 else 1
    command = [sys.executable, str(HERE / f"{side}.py"), shape, str(count), str(workers), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} failed on {shape} with {count:,} phases:\n{done.stderr or done.stdout}")
    sample: dict[str, float] = json.loads(done.stdout)
    return sample


if __name__ == "__main__":
    sys.exit(main())
