"""The generated reducer: a run's actions to its state, pure, each in O(log n)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from milo.action import INIT, Action
from milo.pipeline import actions as types
from milo.pipeline.state import FINISHED, PENDING, Leaf, PhaseLog, PipelineState, Roster, fill
from milo.pipeline.vector import Vector

__all__ = ["make_reducer"]

_ALMOST_DONE: Final = math.nextafter(1.0, 0.0)


def make_reducer(name: str, roster: Roster) -> Callable[[PipelineState | None, Action], PipelineState]:
    """The reducer of the pipeline `name` whose phases are in `roster`."""
    steps: dict[str, Callable[[PipelineState, Any], PipelineState]] = {
        types.PIPELINE_START: _pipeline_start,
        types.PHASE_START: _phase_start,
        types.PHASE_COMPLETE: _ended("completed"),
        types.PHASE_FAILED: _ended("failed"),
        types.PHASE_SKIPPED: _ended("skipped"),
        types.PHASE_CANCELLED: _ended("cancelled"),
        types.PHASE_RETRY: _phase_retry,
        types.PHASE_LOG: _phase_log,
        types.PIPELINE_COMPLETE: _pipeline_ended("completed"),
        types.PIPELINE_CANCELLED: _pipeline_ended("cancelled"),
        types.PIPELINE_END: _pipeline_end,
    }

    def initial() -> PipelineState:
        leaves = Vector([PENDING] * len(roster.names))
        return fill(
            PipelineState.__new__(PipelineState), name, "", 0.0, 0.0, 0.0, "pending", roster, leaves, 0.0, 0.0
        )

    def reducer(state: PipelineState | None, action: Action) -> PipelineState:
        if state is None:
            state = initial()
            if action.type == INIT:
                return state
        step = steps.get(action.type)
        if step is None:
            return state
        if state._roster is not roster:
            state = _adopt(state, name, roster)
        return step(state, action.payload)

    return reducer


def _adopt(state: PipelineState, name: str, roster: Roster) -> PipelineState:
    """A state that was built by hand or by another pipeline, as this pipeline's: its phases are found by name."""
    numbers, leaves = state._roster.numbers, state._leaves
    kept = [leaves[numbers[each]] if each in numbers else PENDING for each in roster.names]
    finished = sum(
        [weight for weight, leaf in zip(roster.weights, kept, strict=True) if leaf.status in FINISHED], 0.0
    )
    return fill(
        PipelineState.__new__(PipelineState),
        state.name or name,
        state.current_phase,
        state.started_at,
        state.elapsed,
        state.progress,
        state.status,
        roster,
        Vector(kept),
        finished,
        state._now,
    )


def _next(
    state: PipelineState,
    *,
    now: float,
    leaves: Vector,
    current: str | None = None,
    status: str | None = None,
    finished: float | None = None,
) -> PipelineState:
    """The state after one step at the time `now`."""
    if finished is None:
        finished = state._finished
        progress = state.progress
    else:
        total = state._roster.total_weight
        progress = min(finished / total, _ALMOST_DONE) if total else 0.0
    elapsed = now - state.started_at
    return fill(
        PipelineState.__new__(PipelineState),
        state.name,
        state.current_phase if current is None else current,
        state.started_at,
        elapsed if elapsed > 0.0 else 0.0,
        progress,
        state.status if status is None else status,
        state._roster,
        leaves,
        finished,
        now,
    )


def _at(state: PipelineState, payload: Mapping[str, Any]) -> float:
    """When it happened; without a time, or with an earlier one, the last time that is known."""
    at = payload.get("at")
    return at if at is not None and at > state._now else state._now


def _named(state: PipelineState, payload: Any) -> tuple[int | None, Mapping[str, Any]]:
    """The number of the phase that a payload names, and the payload as a mapping."""
    if payload.__class__ is not dict:
        payload = payload if isinstance(payload, Mapping) else {"name": payload}
    try:
        return state._roster.numbers.get(payload.get("name")), payload
    except TypeError:  # a name that cannot be hashed is no phase's
        return None, payload


def _pipeline_start(state: PipelineState, payload: Any) -> PipelineState:
    if not isinstance(payload, Mapping):
        payload = {"at": payload}
    at = payload.get("at")
    now = float(at) if isinstance(at, int | float) else state._now
    leaves, finished = Vector([PENDING] * len(state._leaves)), 0.0
    if payload.get("resumed"):
        kept = [leaf if leaf.status in FINISHED else PENDING for leaf in state._leaves]
        weights = state._roster.weights
        finished = sum(
            [weight for weight, leaf in zip(weights, kept, strict=True) if leaf is not PENDING], 0.0
        )
        leaves = Vector(kept)
    total = state._roster.total_weight
    progress = min(finished / total, _ALMOST_DONE) if total else 0.0
    return fill(
        PipelineState.__new__(PipelineState),
        state.name,
        "",
        now,
        0.0,
        progress,
        "running",
        state._roster,
        leaves,
        finished,
        now,
    )


def _phase_start(state: PipelineState, payload: Any) -> PipelineState:
    number, fields = _named(state, payload)
    if number is None:
        return state
    now = _at(state, fields)
    old: Leaf = state._leaves[number]
    attempt = fields.get("attempt", 1)
    again = attempt > 1 and old.status == "retrying"
    leaf = Leaf(
        "running",
        old.started_at if again else now,
        old.elapsed if again else 0.0,
        old.error if again else "",
        attempt,
        old.logs,
    )
    # Started again, it no longer counts as finished.
    finished = state._finished - state._roster.weights[number] if old.status in FINISHED else None
    leaves = state._leaves.set(number, leaf)
    return _next(state, now=now, leaves=leaves, current=state._roster.names[number], finished=finished)


def _ended(status: str) -> Callable[[PipelineState, Any], PipelineState]:
    """The step for a phase that ends with `status`."""
    counts = status in FINISHED
    pipeline_status = "failed" if status == "failed" else None
    keeps_error = status in ("failed", "skipped")

    def step(state: PipelineState, payload: Any) -> PipelineState:
        number, fields = _named(state, payload)
        if number is None:
            return state
        now = _at(state, fields)
        old_status, started_at, _, error, attempt, logs = state._leaves[number]
        if keeps_error:
            error = str(fields.get("error") or error)
        elif counts:
            error = ""
        if old_status == "pending":
            started_at = now
        # A state that was built by hand may hold a start that lies ahead of the last time known.
        elapsed = now - started_at if now > started_at else 0.0
        leaf = Leaf(status, started_at, elapsed, error, attempt, logs)
        finished = None
        if counts and old_status not in FINISHED:
            finished = state._finished + state._roster.weights[number]
        return _next(
            state, now=now, leaves=state._leaves.set(number, leaf), status=pipeline_status, finished=finished
        )

    return step


def _phase_retry(state: PipelineState, payload: Any) -> PipelineState:
    number, fields = _named(state, payload)
    if number is None:
        return state
    now = _at(state, fields)
    old: Leaf = state._leaves[number]
    started_at = old.started_at if old.status != "pending" else now
    leaf = Leaf(
        "retrying",
        started_at,
        now - started_at if now > started_at else 0.0,
        str(fields.get("error") or ""),
        fields.get("attempt", old.attempt),
        old.logs,
    )
    return _next(state, now=now, leaves=state._leaves.set(number, leaf))


def _phase_log(state: PipelineState, payload: Any) -> PipelineState:
    number, fields = _named(state, payload)
    if number is None or "line" not in fields:
        return state
    log = PhaseLog(fields["line"], fields.get("stream", "stdout"), fields.get("timestamp", 0.0))
    status, started_at, elapsed, error, attempt, logs = state._leaves[number]
    logs = logs.add(log, state._roster.max_logs[number])
    leaves = state._leaves.set(number, Leaf(status, started_at, elapsed, error, attempt, logs))
    return _next(state, now=state._now, leaves=leaves)


def _pipeline_ended(status: str) -> Callable[[PipelineState, Any], PipelineState]:
    """The step for the end of the whole run."""

    def step(state: PipelineState, payload: Any) -> PipelineState:
        fields = payload if isinstance(payload, Mapping) else {"at": payload}
        return _close(state, fields, status)

    return step


def _pipeline_end(state: PipelineState, payload: Any) -> PipelineState:
    fields = payload if isinstance(payload, Mapping) else {}
    return _close(state, fields, fields.get("status", state.status))


def _close(state: PipelineState, fields: Mapping[str, Any], status: str) -> PipelineState:
    now = _at(state, fields)
    elapsed = max(0.0, now - state.started_at)
    done = status == "completed"
    return fill(
        PipelineState.__new__(PipelineState),
        state.name,
        "" if done else state.current_phase,
        state.started_at,
        elapsed,
        1.0 if done else state.progress,
        status,
        state._roster,
        state._leaves,
        state._finished,
        now,
    )
