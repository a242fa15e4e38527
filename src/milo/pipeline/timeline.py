"""The timeline: a run's state as plain JSON-ready data, and the run that other code may look at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from milo.pipeline.state import GOING, PipelineState

__all__ = [
    "get_active_pipeline",
    "phases_to_graph",
    "pipeline_to_timeline",
    "set_active_pipeline",
    "watch_active_pipeline",
]

_active: PipelineState | None = None
_lock = threading.Lock()
# Replaced as a whole, so that whoever publishes meanwhile walks one that does not change.
_watchers: tuple[tuple[Callable[[], None]], ...] = ()


def pipeline_to_timeline(state: PipelineState, now: float | None = None) -> dict[str, Any]:
    """The state as a dict for JSON.

    Args:
        state: The state to show.
        now: Monotonic seconds; when given, what still runs is shown with the time until then.

    Returns:
        ``{"pipeline", "status", "elapsed", "progress", "phases": [{"name", "status", "elapsed", "attempt", "error",
        "log_count", "started_at"}]}``; times in seconds.
    """

    def elapsed(going: bool, started_at: float, known: float) -> float:
        return max(known, now - started_at) if going and now is not None else known

    return {
        "pipeline": state.name,
        "status": state.status,
        "elapsed": elapsed(state.status == "running", state.started_at, state.elapsed),
        "progress": state.progress,
        "phases": [
            {
                "name": phase.name,
                "status": phase.status,
                "elapsed": elapsed(phase.status in GOING, phase.started_at, phase.elapsed),
                "attempt": phase.attempt,
                "error": phase.error,
                "log_count": len(phase.logs),
                "started_at": phase.started_at,
            }
            for phase in state.phases
        ],
    }


def phases_to_graph(phases: Iterable[Any]) -> list[dict[str, Any]]:
    """Declared phases, of a pipeline or of a record of one, as dicts for JSON.

    Returns:
        ``[{"name", "description", "depends_on", "parallel", "weight"}]`` in declared order.
    """
    return [
        {
            "name": phase.name,
            "description": phase.description,
            "depends_on": list(phase.depends_on),
            "parallel": phase.parallel,
            "weight": phase.weight,
        }
        for phase in phases
    ]


def set_active_pipeline(state: PipelineState | None) -> None:
    """Publish the state of the run that this program wants others to see; None withdraws it."""
    global _active
    _active = state
    for (watcher,) in _watchers:
        watcher()


def get_active_pipeline() -> PipelineState | None:
    """The state that was published last, or None."""
    return _active


def watch_active_pipeline(watcher: Callable[[], None]) -> Callable[[], None]:
    """Have `watcher` called after each publication, by whoever publishes: it must neither take time nor raise.

    Returns:
        What ends that; safe any number of times.
    """
    global _watchers
    entry = (watcher,)
    with _lock:
        _watchers = (*_watchers, entry)

    def stop() -> None:
        global _watchers
        with _lock:
            _watchers = tuple(each for each in _watchers if each is not entry)

    return stop
