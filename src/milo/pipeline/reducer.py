"""The generated reducer: a run's actions to its state, pure, each in O(log n)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from milo.action import Action
from milo.pipeline import actions as types
from milo.pipeline.state import (
    FINISHED,
    LOGS,
    PENDING,
    STATUS,
    Leaf,
    PipelineState,
    Roster,
    set_core,
    state_of,
)
from milo.pipeline.vector import MASK, Vector

__all__ = ["make_reducer"]

_new: Final = object.__new__
_ALMOST_DONE: Final = math.nextafter(1.0, 0.0)

Step = Callable[[PipelineState, Any], PipelineState]


def make_reducer(name: str, roster: Roster) -> Callable[[PipelineState | None, Action], PipelineState]:
    """The reducer of the pipeline `name` whose phases are in `roster`."""
    leaves = Vector([PENDING] * len(roster.names))
    initial = state_of((roster, leaves, "", 0.0, 0.0, 0.0, "pending", 0.0, 0.0))

    def reducer(state: PipelineState | None, action: Action) -> PipelineState:
        if state is None:
            state = initial
        step = _STEPS.get(action.type)
        if step is None:
            return state
        if state._core[0] is not roster and state._core[0].names is not roster.names:
            state = _adopt(state, name, roster)
        return step(state, action.payload)

    return reducer


def _adopt(state: PipelineState, name: str, roster: Roster) -> PipelineState:
    """A state that was built by hand or by another pipeline, as this pipeline's: its phases are found by name."""
    old, leaves, current, started_at, elapsed, progress, status, _, now = state._core
    kept = [leaves[old.numbers[each]] if each in old.numbers else PENDING for each in roster.names]
    finished = _finished_weight(kept, roster)
    if old.name and old.name != name:
        roster = roster.renamed(old.name)
    return state_of((roster, Vector(kept), current, started_at, elapsed, progress, status, finished, now))


def _finished_weight(leaves: list[Leaf], roster: Roster) -> float:
    """The weight of the phases that are finished."""
    pairs = zip(roster.weights, leaves, strict=True)
    return sum([weight for weight, leaf in pairs if leaf[STATUS] in FINISHED], 0.0)


def _progress(finished: float, roster: Roster) -> float:
    total = roster.total_weight
    return min(finished / total, _ALMOST_DONE) if total else 0.0


# Actions about one phase.


def _phase_step(
    change: Callable[[Leaf, Mapping[str, Any], float], Leaf], *, starts: bool = False, fails: bool = False
) -> Step:
    """The step for an action about one phase.

    Args:
        change: From what was, the action's fields and the time to what is.
        starts: Whether the phase is the current one from here on.
        fails: Whether the pipeline has failed from here on.
    """

    def step(state: PipelineState, payload: Any) -> PipelineState:
        if payload.__class__ is not dict:
            payload = _fields(payload)
        roster, leaves, current, started_at, elapsed, progress, status, finished, now = state._core
        name = payload.get("name")
        try:
            number = roster.numbers[name]
        except (KeyError, TypeError):  # it is no phase's name, or cannot be one
            return state
        # Without a time, or with an earlier one, it happened at the last time that is known.
        at = payload.get("at")
        if at is not None and at > now:
            now = at
        leaves, node = leaves.opened(number)
        place = number & MASK
        old = node[place]
        new = node[place] = change(old, payload, now)
        if (new[STATUS] in FINISHED) is not (old[STATUS] in FINISHED):
            weight = roster.weights[number]
            finished += weight if new[STATUS] in FINISHED else -weight
            if roster.total_weight:
                progress = min(finished / roster.total_weight, _ALMOST_DONE)
        if starts:
            current = name
        if fails:
            status = "failed"
        elapsed = now - started_at if now > started_at else 0.0
        changed: PipelineState = _new(PipelineState)
        set_core(changed, (roster, leaves, current, started_at, elapsed, progress, status, finished, now))
        return changed

    return step


def _fields(payload: Any) -> Mapping[str, Any]:
    return payload if isinstance(payload, Mapping) else {"name": payload}


def _started(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    attempt = fields.get("attempt", 1)
    status, started_at, elapsed, error, _, logs = old
    if attempt > 1 and status == "retrying":
        return "running", started_at, elapsed, error, attempt, logs
    return "running", now, 0.0, "", attempt, logs


def _completed(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    started_at, elapsed = _span(old, now)
    return "completed", started_at, elapsed, "", old[4], old[LOGS]


def _failed(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    started_at, elapsed = _span(old, now)
    return "failed", started_at, elapsed, str(fields.get("error") or old[3]), old[4], old[LOGS]


def _skipped(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    return "skipped", *_failed(old, fields, now)[1:]


def _cancelled(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    started_at, elapsed = _span(old, now)
    return "cancelled", started_at, elapsed, old[3], old[4], old[LOGS]


def _retrying(old: Leaf, fields: Mapping[str, Any], now: float) -> Leaf:
    started_at, elapsed = _span(old, now)
    error, attempt = str(fields.get("error") or ""), fields.get("attempt", old[4])
    return "retrying", started_at, elapsed, error, attempt, old[LOGS]


def _span(leaf: Leaf, now: float) -> tuple[float, float]:
    """When a phase that ends now began, and how long it took."""
    started_at = now if leaf[STATUS] == "pending" else leaf[1]
    # A state that was built by hand may hold a start that lies ahead of the last time known.
    return started_at, now - started_at if now > started_at else 0.0


def _phase_log(state: PipelineState, payload: Any) -> PipelineState:
    if payload.__class__ is not dict:
        payload = _fields(payload)
    roster, leaves, current, started_at, elapsed, progress, status, finished, now = state._core
    try:
        number, line = roster.numbers[payload.get("name")], payload["line"]
    except (KeyError, TypeError):
        return state
    log = (line, payload.get("stream", "stdout"), payload.get("timestamp", 0.0))
    leaves, node = leaves.opened(number)
    place = number & MASK
    old = node[place]
    node[place] = (*old[:LOGS], old[LOGS].add(log, roster.max_logs[number]))
    return state_of((roster, leaves, current, started_at, elapsed, progress, status, finished, now))


# Actions about the whole run.


def _pipeline_start(state: PipelineState, payload: Any) -> PipelineState:
    if not isinstance(payload, Mapping):
        payload = {"at": payload}
    roster, leaves, *_, known = state._core
    at = payload.get("at")
    now = float(at) if isinstance(at, int | float) else known
    kept, finished = [PENDING] * len(leaves), 0.0
    if payload.get("resumed"):
        again = {roster.numbers.get(name) for name in payload.get("again", ())}
        kept = [
            leaf if leaf[STATUS] in FINISHED and number not in again else PENDING
            for number, leaf in enumerate(leaves)
        ]
        finished = _finished_weight(kept, roster)
    progress = _progress(finished, roster)
    return state_of((roster, Vector(kept), "", now, 0.0, progress, "running", finished, now))


def _pipeline_ended(status: str) -> Step:
    """The step for the end of the whole run."""

    def step(state: PipelineState, payload: Any) -> PipelineState:
        return _close(state, payload if isinstance(payload, Mapping) else {"at": payload}, status)

    return step


def _pipeline_end(state: PipelineState, payload: Any) -> PipelineState:
    fields = payload if isinstance(payload, Mapping) else {}
    return _close(state, fields, fields.get("status", state.status))


def _close(state: PipelineState, fields: Mapping[str, Any], status: str) -> PipelineState:
    roster, leaves, current, started_at, _, progress, _, finished, now = state._core
    at = fields.get("at")
    if at is not None and at > now:
        now = at
    if status == "completed":
        current, progress = "", 1.0
    elapsed = max(0.0, now - started_at)
    return state_of((roster, leaves, current, started_at, elapsed, progress, status, finished, now))


_STEPS: Final[Mapping[str, Step]] = {
    types.PIPELINE_START: _pipeline_start,
    types.PHASE_START: _phase_step(_started, starts=True),
    types.PHASE_COMPLETE: _phase_step(_completed),
    types.PHASE_FAILED: _phase_step(_failed, fails=True),
    types.PHASE_SKIPPED: _phase_step(_skipped),
    types.PHASE_CANCELLED: _phase_step(_cancelled),
    types.PHASE_RETRY: _phase_step(_retrying),
    types.PHASE_LOG: _phase_log,
    types.PIPELINE_COMPLETE: _pipeline_ended("completed"),
    types.PIPELINE_CANCELLED: _pipeline_ended("cancelled"),
    types.PIPELINE_END: _pipeline_end,
}
