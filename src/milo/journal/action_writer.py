"""Actions into records: the frequent ones by layouts of their own, everything else exactly by the codec."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from milo.action import Action
from milo.journal import entries
from milo.journal.codec import encode
from milo.journal.entries import COMPLETE, COMPLETE_MORE, END, RETRY, START, Kept
from milo.journal.errors import CodecError
from milo.pipeline import actions as types
from milo.text import safe_text

__all__ = ["ActionWriter"]

_MAX: Final = 2**32
_pack_start, _pack_complete = START.pack, COMPLETE.pack
# How deep a value is searched for what cannot be kept, before it becomes a text as a whole.
_MAX_PLAIN: Final = 6


class ActionWriter:
    """Turns actions into records.

    Args:
        numbers: The phases' names and numbers.
        keep: Says how the result of a phase is kept.
    """

    def __init__(self, numbers: Mapping[str, int], keep: Callable[[str, Any], Kept]) -> None:
        self._numbers = numbers
        self._keep = keep
        self._writers: dict[str, Callable[[dict[str, Any]], bytes | None]] = {
            types.PHASE_START: self._start,
            types.PHASE_COMPLETE: self._complete,
            types.PHASE_FAILED: self._with_error(entries.PHASE_FAILED),
            types.PHASE_SKIPPED: self._with_error(entries.PHASE_SKIPPED),
            types.PHASE_CANCELLED: self._cancelled,
            types.PHASE_RETRY: self._retry,
        }

    def encode(self, action: Action) -> bytes:
        """The action as the data of a record."""
        write = self._writers.get(action.type)
        payload = action.payload
        if write is not None and payload.__class__ is dict:
            data = write(payload)
            if data is not None:
                return data
        kind = entries.RUN_KINDS.get(action.type)
        if kind is not None:
            return bytes((kind,)) + _encoded(payload)
        if action.type == types.PHASE_COMPLETE and isinstance(payload, Mapping):
            # Results are kept in one way only; this one has come in none that is known.
            payload = {key: value for key, value in payload.items() if key != "result"}
        return bytes((entries.OTHER,)) + _encoded((str(action.type), payload))

    def _phase(self, payload: dict[str, Any], size: int) -> int | None:
        """The number of the phase, if the payload has exactly as many fields, a name and a time among them."""
        name = payload.get("name")
        if len(payload) != size or name.__class__ is not str or payload.get("at").__class__ is not float:
            return None
        return self._numbers.get(name)

    def _start(self, payload: dict[str, Any]) -> bytes | None:
        name, attempt, at = payload.get("name"), payload.get("attempt"), payload.get("at")
        # Without `_phase`: half of all records come this way.
        if (
            len(payload) != 3
            or name.__class__ is not str
            or attempt.__class__ is not int
            or at.__class__ is not float
        ):
            return None
        number = self._numbers.get(name)
        if number is None or not 0 <= attempt < _MAX:
            return None
        return _pack_start(entries.PHASE_START, number, attempt, at)

    def _complete(self, payload: dict[str, Any]) -> bytes | None:
        name = payload.get("name")
        number = self._numbers.get(name) if name.__class__ is str else None
        if number is None or "result" not in payload:
            return None
        how, kept = self._keep(str(name), payload["result"]).as_bytes
        at = payload.get("at")
        if len(payload) == 3 and at.__class__ is float:
            return _pack_complete(entries.PHASE_COMPLETE, number, how, at) + kept
        more = _encoded({key: value for key, value in payload.items() if key != "result"})
        return COMPLETE_MORE.pack(entries.PHASE_COMPLETE_MORE, number, how, len(more)) + more + kept

    def _with_error(self, kind: int) -> Callable[[dict[str, Any]], bytes | None]:
        def write(payload: dict[str, Any]) -> bytes | None:
            number = self._phase(payload, 3)
            error = payload.get("error")
            if number is None or error.__class__ is not str:
                return None
            return END.pack(kind, number, payload["at"]) + error.encode("utf-8", "surrogatepass")

        return write

    def _cancelled(self, payload: dict[str, Any]) -> bytes | None:
        number = self._phase(payload, 2)
        return None if number is None else END.pack(entries.PHASE_CANCELLED, number, payload["at"])

    def _retry(self, payload: dict[str, Any]) -> bytes | None:
        number = self._phase(payload, 6)
        if number is None:
            return None
        attempt, error, most, delay = map(payload.get, ("attempt", "error", "max_retries", "delay"))
        if attempt.__class__ is not int or most.__class__ is not int or delay.__class__ is not float:
            return None
        if error.__class__ is not str or not (0 <= attempt < _MAX and 0 <= most < _MAX):
            return None
        head = RETRY.pack(entries.PHASE_RETRY, number, attempt, most, delay, payload["at"])
        return head + error.encode("utf-8", "surrogatepass")


def _encoded(value: Any) -> bytes:
    """A value by the codec; what the codec does not know in it becomes a number or a text."""
    with contextlib.suppress(CodecError):
        return encode(value)
    return encode(_plain(value, 0))


def _plain(value: Any, depth: int) -> Any:
    with contextlib.suppress(CodecError):
        encode(value)
        return value
    try:
        if isinstance(value, Mapping) and depth < _MAX_PLAIN:
            return {_plain(key, _MAX_PLAIN): _plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, tuple | list) and depth < _MAX_PLAIN:
            items = [_plain(item, depth + 1) for item in value]
            return items if isinstance(value, list) else tuple(items)
        for plain in (float, int):
            if isinstance(value, plain):
                return plain(value)
        return safe_text(str(value))
    except Exception:  # noqa: BLE001 - what a stranger's value raises is no reason to lose the action
        return f"<{type(value).__name__}>"
