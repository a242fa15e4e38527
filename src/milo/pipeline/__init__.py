"""Pipelines: phases, their graph, the actions of a run, its state, and the generated reducer and saga."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from milo.pipeline.actions import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
    PIPELINE_CANCELLED,
    PIPELINE_COMPLETE,
    PIPELINE_END,
    PIPELINE_START,
    PIPELINE_STOPPING,
)
from milo.pipeline.binding import Context
from milo.pipeline.phase import Phase, PhasePolicy
from milo.pipeline.pipeline import Pipeline
from milo.pipeline.state import PhaseLog, PhaseStatus, PipelineState
from milo.pipeline.timeline import get_active_pipeline, pipeline_to_timeline, set_active_pipeline

if TYPE_CHECKING:
    from milo.pipeline.detail import PipelineViewState, make_detail_reducer
    from milo.terminal.keys import Key, SpecialKey

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
    "Context",
    "Key",
    "Phase",
    "PhaseLog",
    "PhasePolicy",
    "PhaseStatus",
    "Pipeline",
    "PipelineState",
    "PipelineViewState",
    "SpecialKey",
    "get_active_pipeline",
    "make_detail_reducer",
    "pipeline_to_timeline",
    "set_active_pipeline",
]

# The detail view is for terminals: whoever only runs pipelines does not wait for it.
_LATER = {
    "Key": "milo.terminal.keys",
    "PipelineViewState": "milo.pipeline.detail",
    "SpecialKey": "milo.terminal.keys",
    "make_detail_reducer": "milo.pipeline.detail",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'milo.pipeline' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value
