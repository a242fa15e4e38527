"""The run for programs: one JSON object an action, one a line, in ASCII."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from milo.action import INIT, Action
from milo.pipeline import PipelineState
from milo.views.format import Output

__all__ = ["JsonLinesView", "json_line"]

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode


def json_line(action: Action) -> str:
    """Write an action as ``{"type": ..., "payload": ...}`` on one line, without a phase's result."""
    return _encode({"type": action.type, "payload": _public(action.payload)})


class JsonLinesView:
    """Writes every action but ``@@INIT`` as a line of JSON.

    Args:
        out: Where the lines go; nothing else should be written there.
    """

    def __init__(self, out: Output) -> None:
        self._out = out

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        lines = [json_line(action) for action in actions if action.type != INIT]
        if lines:
            self._out.write("\n".join(lines) + "\n")

    def close(self, state: PipelineState) -> None:
        """Nothing is held back, so nothing is left to write."""


def _public(payload: Any) -> Any:
    # A result may be large, secret, or no JSON at all; who wants it writes it to a file.
    if isinstance(payload, Mapping):
        return {str(key): value for key, value in payload.items() if key != "result"}
    return payload
