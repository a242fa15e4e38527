"""Prefect with its temporary server: a task submitted a phase, on its runner of threads, nothing kept."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from typing import Any

from shapes import Graph, Handlers, Results

REQUIRES = ("prefect", "fastapi<0.120")
DISTRIBUTION = "prefect"

Job = tuple[Any, list[str]]

_home = tempfile.TemporaryDirectory(prefix="bench-prefect-", ignore_cleanup_errors=True)
os.environ.update(
    PREFECT_HOME=_home.name,
    PREFECT_LOGGING_LEVEL="CRITICAL",
    PREFECT_LOGGING_TO_API_ENABLED="false",
    PREFECT_RESULTS_PERSIST_BY_DEFAULT="false",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="60",
    PREFECT_CLI_COLORS="false",
    DO_NOT_TRACK="1",
)


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """A flow that submits every task with the futures of what it needs."""
    prefect = import_module("prefect")
    runner = import_module("prefect.task_runners").ThreadPoolTaskRunner(max_workers=workers)

    @prefect.task(cache_policy=import_module("prefect.cache_policies").NO_CACHE)  # type: ignore[untyped-decorator]
    def call(name: str, values: list[int]) -> int:
        return handlers[name](dict(zip(graph[name], values, strict=True)))

    @prefect.flow(task_runner=runner)  # type: ignore[untyped-decorator]
    def flow() -> dict[str, int]:
        futures: dict[str, Any] = {}
        for name, before in graph.items():
            futures[name] = call.submit(name, [futures[other] for other in before])
        return {name: future.result() for name, future in futures.items()}

    return flow, list(graph)


def execute(job: Job) -> Results:
    """Call the flow."""
    flow, _ = job
    results: Results = flow()
    return results
