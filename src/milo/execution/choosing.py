"""Choosing: from what a program or a command line says about executors to the places where phases run."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from milo.errors import StateError
from milo.execution.coroutines import Coroutines
from milo.execution.placement import Place, PlacedWorkers
from milo.execution.threads import default_workers

__all__ = ["check_executor", "placed_workers"]

_HINT = 'Use "threads", "processes", "dask", "dask:tcp://host:port", or a concurrent.futures.Executor.'
# The schemes that Dask connects with; what is `inproc` ends where its process ends.
_ADDRESS = re.compile(r"(?:tcp|tls|wss?|ucxx?)://(?:\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})")
_MOST_PORT = 65535


class _Phase(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def handler(self) -> Callable[..., Any]: ...

    @property
    def runs_on(self) -> str | None: ...


def check_executor(executor: object) -> None:
    """Raise StateError unless `executor` is one that `placed_workers` knows what to do with."""
    if executor is None or executor in ("threads", "processes") or _is_pool(executor):
        return
    if isinstance(executor, str) and executor.partition(":")[0] == "dask":
        _check_dask(executor)
        return
    raise StateError(f"executor must name an executor or be one, got {executor!r}.", hint=_HINT)


def placed_workers(
    executor: object,
    phases: Iterable[_Phase],
    *,
    max_workers: int | None = None,
    coroutines: Coroutines | None = None,
) -> PlacedWorkers:
    """Make the workers of a run whose phases do not all run in threads of this process.

    Args:
        executor: Where phases run that do not say so themselves.
        phases: All phases of the run.
        max_workers: How many run at once; what is usual for the executor by default.
        coroutines: Where coroutines of this process are awaited.

    Raises:
        StateError: The executor cannot be had.
        PipelineError: The handler of a phase cannot be sent to its place.
    """
    usual = _place(executor, max_workers)
    places: dict[str | None, Place | None] = {None: usual, "thread": None}
    place_of: dict[str, Place | None] = {}
    try:
        for phase in phases:
            if phase.runs_on not in places:
                places[phase.runs_on] = _place("processes") if executor != "processes" else usual
            place = place_of[phase.name] = places[phase.runs_on]
            if place is not None:
                place.check(phase.name, phase.handler)
    except BaseException:
        _close(places)
        raise
    workers = max_workers or getattr(usual, "usual_workers", None) or default_workers()
    made = tuple({id(place): place for place in places.values() if place is not None}.values())
    return PlacedWorkers(workers, place_of.get, made, coroutines=coroutines)


def _close(places: dict[str | None, Place | None]) -> None:
    for place in places.values():
        if place is not None:
            place.close()


def _check_dask(executor: str) -> None:
    address = executor.removeprefix("dask").removeprefix(":")
    found = _ADDRESS.fullmatch(address)
    if executor != "dask" and not (found and 0 < int(found[1]) <= _MOST_PORT):
        raise StateError(
            f"executor must give the address of a Dask scheduler after 'dask:', got {executor!r}.",
            hint='Write it as the scheduler prints it, for example "dask:tcp://127.0.0.1:8786": '
            f"tcp, tls, ws, wss or ucx, and a port from 1 to {_MOST_PORT}.",
        )
    if importlib.util.find_spec("distributed") is None:
        raise StateError(
            f"executor={executor!r} needs the library distributed, which is not installed.",
            hint="Install it with: pip install 'milo-pipelines[dask]'",
        )


def _is_pool(executor: object) -> bool:
    # Whoever has made one has imported its module.
    futures = sys.modules.get("concurrent.futures")
    return futures is not None and isinstance(executor, futures.Executor)


def _place(executor: Any, max_workers: int | None = None) -> Place | None:
    # Imported where chosen: each of them loads what most runs do not need.
    if executor is None or executor == "threads":
        return None
    if isinstance(executor, str) and executor.partition(":")[0] == "dask":
        from milo.execution.dask.place import DaskPlace

        return DaskPlace(executor.partition(":")[2] or None, max_workers or default_workers())
    if executor == "processes":
        from milo.execution.processes.place import ProcessPlace

        return ProcessPlace()
    from milo.execution.futures import FuturesPlace

    return FuturesPlace(executor)
