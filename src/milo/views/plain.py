"""Plain lines for logs and pipes: each phase's start, its output with its name before it, and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from milo.action import Action
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
    PIPELINE_CANCELLED,
    PIPELINE_START,
    PIPELINE_STOPPING,
    PipelineState,
)
from milo.views.format import Output, Painter, some
from milo.words import count, duration

__all__ = ["PlainView"]

Payload = Mapping[str, Any]


class PlainView:
    """Writes one line an event, whole lines only, so that any log keeps them well.

    Args:
        out: Where the lines go.
        color: Whether colour sequences may be written.
    """

    def __init__(self, out: Output, *, color: bool = False) -> None:
        self._out = out
        self._paint = Painter(color)
        self._started: dict[str, float] = {}
        self._tell: dict[str, Callable[[Payload], str]] = {
            PHASE_START: self._start,
            PHASE_LOG: self._log,
            PHASE_COMPLETE: self._complete,
            PHASE_FAILED: self._failed,
            PHASE_SKIPPED: self._skipped,
            PHASE_CANCELLED: self._cancelled,
            PHASE_RETRY: self._retry,
            PIPELINE_STOPPING: self._stopping,
        }

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        lines = []
        for action in actions:
            tell = self._tell.get(action.type)
            if tell is not None:
                lines.append(tell(action.payload))
            elif action.type == PIPELINE_START:
                lines.append(self._paint(f"{state.name}: {count(len(state.phases), 'phase')}", "bold"))
            elif action.type == PIPELINE_CANCELLED:
                lines.append(self._event("stop", "the run was cancelled", "yellow"))
        if lines:
            self._out.write("\n".join(lines) + "\n")

    def close(self, state: PipelineState) -> None:
        """Nothing is held back, so nothing is left to write."""

    def _event(self, word: str, text: str, *styles: str) -> str:
        return f"{self._paint(f'{word:<6}', *styles)} {text}"

    def _start(self, payload: Payload) -> str:
        self._started.setdefault(payload["name"], payload.get("at", 0.0))
        attempt = payload.get("attempt", 1)
        again = f" (attempt {attempt})" if attempt > 1 else ""
        return self._event("start", f"{payload['name']}{again}", "cyan")

    def _log(self, payload: Payload) -> str:
        error = payload.get("stream") == "stderr"
        prefix = self._paint(f"{payload['name']} {'!' if error else '|'}", "yellow" if error else "dim")
        return f"{prefix} {self._paint.foreign(payload['line'])}"

    def _complete(self, payload: Payload) -> str:
        return self._event("done", f"{payload['name']}{self._took(payload)}", "green")

    def _failed(self, payload: Payload) -> str:
        return self._event("FAILED", self._with_error(payload, self._took(payload)), "red", "bold")

    def _skipped(self, payload: Payload) -> str:
        return self._event("skip", self._with_error(payload, self._took(payload)), "yellow")

    def _cancelled(self, payload: Payload) -> str:
        return self._event("cancel", f"{payload['name']}{self._took(payload)}", "yellow")

    def _retry(self, payload: Payload) -> str:
        delay = payload.get("delay")
        wait = f", next in {duration(delay)}" if delay else ""
        attempts = payload.get("max_retries", 0) + 1
        detail = f" (attempt {payload['attempt']} of {attempts} failed{wait})"
        return self._event("retry", self._with_error(payload, detail), "yellow")

    def _stopping(self, payload: Payload) -> str:
        if not self._started:
            return self._event("stop", "no further phase starts", "yellow")
        waiting = f"waiting up to {duration(payload.get('grace', 0.0))} for {some(list(self._started))}"
        return self._event("stop", f"{waiting} (Ctrl-C again ends at once)", "yellow")

    def _took(self, payload: Payload) -> str:
        started = self._started.pop(payload["name"], None)
        return "" if started is None or "at" not in payload else f" ({duration(payload['at'] - started)})"

    def _with_error(self, payload: Payload, detail: str) -> str:
        error = self._paint.foreign(payload.get("error") or "").replace("\n", "\n       ")
        return f"{payload['name']}{detail}" + (f": {error}" if error else "")
