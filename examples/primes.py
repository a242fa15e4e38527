"""Counts primes on threads and on worker processes: `python examples/primes.py` says how much faster processes are."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from functools import partial

from milo import Phase, Pipeline, run

RANGES = 8
FIRST = 10_000_000


def count(first: int, size: int) -> int:
    """How many of the `size` numbers from `first` on are primes, by trial division: work for the interpreter alone."""
    return sum(is_prime(number) for number in range(first, first + size))


def is_prime(number: int) -> bool:
    """Whether no smaller number divides it."""
    if number < 4 or number % 2 == 0:
        return number in (2, 3)
    divisor = 3
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 2
    return True


def total(context: Mapping[str, int]) -> int:
    """Add up what all ranges have."""
    found = sum(context.values())
    print(f"{found} primes")
    return found


def pipeline(size: int = 30_000, first: int = FIRST) -> Pipeline:
    """Eight ranges of `size` numbers, and their total."""
    ranges = [
        Phase(f"range{number}", partial(count, first + number * size, size), parallel=True)
        for number in range(RANGES)
    ]
    return Pipeline("primes", *ranges, Phase("total", total, depends_on=tuple(each.name for each in ranges)))


def main(arguments: list[str]) -> int:
    """Count on threads and on processes; the first argument is how many numbers a range has."""
    counting = pipeline(*map(int, arguments[:1]))
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    took: dict[str, float] = {}
    found: set[int] = set()
    for executor in ("threads", "processes"):
        began = time.perf_counter()
        result = run(counting, executor=executor)
        took[executor] = time.perf_counter() - began
        if not result.ok:
            print(next(phase.error for phase in result.state.phases if phase.error), file=sys.stderr)
            return 1
        found.add(result.results["total"])
        print(f"  {took[executor]:.2f} s on {executor}")
    print(f"{took['threads'] / took['processes']:.2f} times as fast on processes, with {workers} processors")
    return 0 if len(found) == 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
