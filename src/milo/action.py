"""Action: the only way a state changes, an inert value with a type and a payload."""

from __future__ import annotations

from typing import Any

from milo.value import Value, setters

__all__ = ["INIT", "SAGA_ERROR", "TICK", "Action"]

INIT = "@@INIT"
SAGA_ERROR = "@@SAGA_ERROR"
TICK = "@@TICK"


class Action(Value):
    """Something that happened, or a wish that something happen.

    Args:
        type: What happened, e.g. ``"@@PHASE_START"``.
        payload: Anything the reducer needs to know about it; treat it as immutable.
    """

    __slots__ = ("payload", "type")
    __match_args__ = ("type", "payload")

    type: str
    payload: Any

    def __init__(self, type: str, payload: Any = None) -> None:
        _set_type(self, type)
        _set_payload(self, payload)


_set_type, _set_payload = setters(Action)
