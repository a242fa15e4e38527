"""Pipelines: phases, their graph, the actions of a run, its state, and the generated reducer and saga."""

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
from milo.pipeline.detail import PipelineViewState, make_detail_reducer
from milo.pipeline.phase import Phase, PhasePolicy
from milo.pipeline.pipeline import Pipeline
from milo.pipeline.state import PhaseLog, PhaseStatus, PipelineState
from milo.pipeline.timeline import get_active_pipeline, pipeline_to_timeline, set_active_pipeline
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
