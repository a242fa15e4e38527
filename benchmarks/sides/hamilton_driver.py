"""Hamilton's driver on a module made for the graph: a function a phase, its parameters named like what it needs."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any

from shapes import Graph, Handlers, Results

REQUIRES = ("sf-hamilton",)
DISTRIBUTION = "sf-hamilton"
NOTE = "one thread"

Job = tuple[Any, list[str]]

_STACK_BYTES = 512 * 1024 * 1024
_numbers = itertools.count()


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """The module's source is compiled as a user's file would be."""
    os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"
    import_module("hamilton.telemetry").disable_telemetry()
    module = ModuleType(f"bench_nodes_{next(_numbers)}")
    sys.modules[module.__name__] = module
    lines = []
    for name, before in graph.items():
        parameters = ", ".join(f"{other}: int" for other in before)
        inputs = ", ".join(f"{other!r}: {other}" for other in before)
        lines.append(f"def {name}({parameters}) -> int:\n    return _handlers[{name!r}]({{{inputs}}})\n")
    vars(module)["_handlers"] = handlers
    exec(compile("\n".join(lines), module.__name__, "exec"), vars(module))
    plain = import_module("hamilton.base").DefaultAdapter()
    built = _deep(
        len(graph),
        lambda: import_module("hamilton.driver").Builder().with_modules(module).with_adapter(plain).build(),
    )
    return built, list(graph)


def execute(job: Job) -> Results:
    """Ask for every node's value."""
    driver, names = job
    results: Results = _deep(len(names), lambda: driver.execute(names))
    return results


def _deep(count: int, work: Any) -> Any:
    """Do `work` on a thread whose stack is deep enough: the driver recurses from each node to what it needs."""
    sys.setrecursionlimit(max(1000, 60 * count + 1000))
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.extend((work(), None))
        except BaseException as error:  # noqa: BLE001 -- raised again by the caller
            outcome.extend((None, error))

    before = threading.stack_size(_STACK_BYTES)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    value, error = outcome
    if error is not None:
        raise error
    return value
