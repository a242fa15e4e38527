"""What the benchmark of worker processes has run there, and the loops that people write by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, as_completed, wait
from graphlib import TopologicalSorter

from shapes import MODULUS, Graph

__all__ = ["after_warm", "check", "compute", "give", "loop", "phase", "step", "submit_all", "take", "warm"]


def compute(steps: int) -> int:
    total = 0
    for number in range(steps):
        total = (total * 31 + number) % MODULUS
    return total


def step(number: int, *before: int) -> int:
    return (number + sum(before)) % MODULUS


def phase(number: int, context: Mapping[str, int]) -> int:
    return step(number, *context.values())


def warm() -> None:
    time.sleep(0.3)  # so long that each worker has one of them


def after_warm(number: int, context: Mapping[str, int]) -> int:
    return step(number)


def give(size: int) -> bytes:
    return os.urandom(1024) * (size // 1024) + bytes(size % 1024)


def take(give: bytes) -> int:
    return len(give)


def loop(pool: Executor, graph: Graph) -> dict[str, int]:
    """What people write by hand."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    numbers = {name: 31 * number + 1 for number, name in enumerate(graph)}
    results: dict[str, int] = {}
    running: dict[Future[int], str] = {}
    while sorter.is_active():
        for name in sorter.get_ready():
            future = pool.submit(step, numbers[name], *[results[each] for each in graph[name]])
            running[future] = name
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            name = running.pop(future)
            results[name] = future.result()
            sorter.done(name)
    return results


def submit_all(pool: Executor, graph: Graph) -> dict[str, int]:
    """The cheapest loop for this one shape: everything between the first and the last is submitted at once."""
    first, *middle, last = graph
    results = {first: pool.submit(step, 1).result()}
    futures = {
        pool.submit(step, 31 * number + 1, results[first]): name for number, name in enumerate(middle, 1)
    }
    for future in as_completed(futures):
        results[futures[future]] = future.result()
    values = [results[name] for name in middle]
    results[last] = pool.submit(step, 31 * (len(graph) - 1) + 1, *values).result()
    return results


def check(graph: Graph, results: Mapping[str, int]) -> None:
    wanted: dict[str, int] = {}
    for number, (name, before) in enumerate(graph.items()):
        wanted[name] = step(31 * number + 1, *[wanted[each] for each in before])
        assert results[name] == wanted[name]
