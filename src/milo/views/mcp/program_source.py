"""The run that this program publishes with `set_active_pipeline`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from milo.pipeline import Pipeline, get_active_pipeline
from milo.pipeline.timeline import watch_active_pipeline
from milo.views.mcp.look import Look, NoRunError

__all__ = ["ProgramSource"]


class ProgramSource:
    """Shows the state that was published last.

    Args:
        pipeline: Whose run it is; only for the graph, which a state does not know.
    """

    polled = False

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self._pipeline = pipeline

    def look(self) -> Look:
        """The published run as it stands.

        Raises:
            NoRunError: Nothing is published.
        """
        state = get_active_pipeline()
        if state is None:
            raise NoRunError(
                "This program has published no run.",
                hint="Publish each state: milo.run(pipeline, on_state=set_active_pipeline).",
            )
        phases = self._pipeline.phases if self._pipeline is not None else None
        return Look("", state.status, state, phases, time.monotonic())

    def runs(self) -> list[dict[str, Any]]:
        """The published run, or none."""
        state = get_active_pipeline()
        if state is None:
            return []
        run = {
            "run": "",
            "pipeline": state.name,
            "status": state.status,
            "elapsed": state.elapsed,
            "phases": len(state.leaves),
        }
        return [run]

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called after each publication."""
        return watch_active_pipeline(wake)

    def close(self) -> None:
        """Nothing is open."""
