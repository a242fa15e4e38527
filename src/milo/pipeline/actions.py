"""The types of the actions that a run dispatches, and what their payloads hold.

``at`` is monotonic seconds, put in by whoever dispatches; ``time`` is seconds since the epoch, for people.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "PHASE_CANCELLED",
    "PHASE_COMPLETE",
    "PHASE_FAILED",
    "PHASE_LOG",
    "PHASE_RETRY",
    "PHASE_SKIPPED",
    "PHASE_START",
    "PIPELINE_CANCELLED",
    "PIPELINE_COMPLETE",
    "PIPELINE_END",
    "PIPELINE_START",
    "PIPELINE_STOPPING",
]

PIPELINE_START: Final = "@@PIPELINE_START"
"""{"at", "time", "run_id"}, with "resumed": True to keep what is finished, save for the phases in "again"; or a bare
number, its "at"."""
PHASE_START: Final = "@@PHASE_START"
"""{"name", "attempt", "at"}, or a bare name."""
PHASE_COMPLETE: Final = "@@PHASE_COMPLETE"
"""{"name", "result", "at"}."""
PHASE_FAILED: Final = "@@PHASE_FAILED"
"""{"name", "error", "at"}."""
PHASE_SKIPPED: Final = "@@PHASE_SKIPPED"
"""{"name", "error", "at"}: it failed, and its policy goes on without it."""
PHASE_CANCELLED: Final = "@@PHASE_CANCELLED"
"""{"name", "at"}."""
PHASE_RETRY: Final = "@@PHASE_RETRY"
"""{"name", "attempt", "error", "max_retries", "delay", "at"}: attempt number `attempt` failed, another follows."""
PHASE_LOG: Final = "@@PHASE_LOG"
"""{"name", "line", "stream", "timestamp"}."""
PIPELINE_COMPLETE: Final = "@@PIPELINE_COMPLETE"
"""{"at"}."""
PIPELINE_STOPPING: Final = "@@PIPELINE_STOPPING"
"""{"at", "grace"}: the run was asked to end; what still runs has `grace` seconds for it."""
PIPELINE_CANCELLED: Final = "@@PIPELINE_CANCELLED"
"""{"at"}."""
PIPELINE_END: Final = "@@PIPELINE_END"
"""{"status", "at"}: a run that did not complete has nothing left running."""
