"""The detail view's reducer: a pipeline's own, wrapped so that keys and the size of the screen count as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milo.action import Action
from milo.pipeline.detail_keys import pressed
from milo.pipeline.state import PipelineState
from milo.pipeline.view_state import PipelineViewState, body_height, changed, moved_on
from milo.store import Quit, Reducer, ReducerResult
from milo.terminal.keys import KEY, RESIZE

__all__ = ["PipelineViewState", "make_detail_reducer"]


def make_detail_reducer(reducer: Reducer) -> Reducer:
    """Wrap a pipeline's reducer with the keys of the detail view.

    Args:
        reducer: What ``pipeline.build_reducer()`` returned. It hears every action but keys, and what it
            returns beside its state (sagas, commands, the wish to quit) is passed on.

    Returns:
        A reducer of `PipelineViewState`. An action that changes nothing gives the very same object back.
    """

    def detail_reducer(state: PipelineViewState | PipelineState | None, action: Action) -> Any:
        if action.type == KEY and isinstance(state, PipelineViewState):
            return pressed(state, action.payload)
        inner = reducer(state.pipeline if isinstance(state, PipelineViewState) else state, action)
        if isinstance(inner, ReducerResult):
            return ReducerResult(_looked_at(state, inner.state, action), inner.sagas, inner.cmds)
        if isinstance(inner, Quit):
            return Quit(_looked_at(state, inner.state, action), inner.code, inner.sagas, inner.cmds)
        return _looked_at(state, inner, action)

    return detail_reducer


def _looked_at(state: object, pipeline: PipelineState, action: Action) -> PipelineViewState:
    """The view of `pipeline` that follows `state` after `action`."""
    if not isinstance(state, PipelineViewState):
        return PipelineViewState(pipeline)
    view = state if pipeline is state.pipeline else moved_on(state, pipeline)
    return _resized(view, action.payload) if action.type == RESIZE else view


def _resized(view: PipelineViewState, size: object) -> PipelineViewState:
    if not isinstance(size, Mapping):
        return view
    rows, columns = size.get("rows", size.get("height")), size.get("columns", size.get("width", view.columns))
    if not isinstance(rows, int) or not isinstance(columns, int):
        return view
    return changed(view, log_height=body_height(rows), rows=rows, columns=columns)
