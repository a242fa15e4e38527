"""Records back into actions, and what a completion says about its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from milo.action import Action
from milo.journal import entries
from milo.journal.decoder import decode
from milo.journal.entries import COMPLETE, COMPLETE_MORE, END, LOG, RETRY, START, STREAMS, Kept
from milo.journal.errors import DamagedError
from milo.pipeline import actions as types

__all__ = ["ActionReader", "kept_in"]


class ActionReader:
    """Turns records into actions.

    A completion comes without its result: who wants that, reads it by itself.

    Args:
        names: The phases' names by number.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._readers: dict[int, Callable[[bytes], Action]] = {
            entries.LOG_LINE: self._log,
            entries.OTHER: _other,
            entries.PHASE_START: self._start,
            entries.PHASE_COMPLETE: self._complete,
            entries.PHASE_COMPLETE_MORE: _complete_more,
            entries.PHASE_FAILED: self._with_error(types.PHASE_FAILED),
            entries.PHASE_SKIPPED: self._with_error(types.PHASE_SKIPPED),
            entries.PHASE_CANCELLED: self._cancelled,
            entries.PHASE_RETRY: self._retry,
            **{kind: _of_run(type) for type, kind in entries.RUN_KINDS.items()},
        }

    def decode(self, data: bytes) -> Action:
        """The action that a record holds.

        Raises:
            DamagedError: It is none that milo writes.
        """
        try:
            return self._readers[data[0]](data)
        except Exception as error:  # noqa: BLE001 - whatever a wrong byte leads to is damage
            raise DamagedError(
                f"A record of the kind {data[:1].hex()} cannot be understood: {error!r}."
            ) from None

    def _log(self, data: bytes) -> Action:
        _, number, _, stream, timestamp = LOG.unpack_from(data, 1)
        payload = {
            "name": self._names[number],
            "line": data[1 + LOG.size :].decode("utf-8", "surrogatepass"),
            "stream": STREAMS[stream],
            "timestamp": timestamp,
        }
        return Action(types.PHASE_LOG, payload)

    def _start(self, data: bytes) -> Action:
        _, number, attempt, at = START.unpack(data)
        return Action(types.PHASE_START, {"name": self._names[number], "attempt": attempt, "at": at})

    def _complete(self, data: bytes) -> Action:
        _, number, _, at = COMPLETE.unpack_from(data)
        return Action(types.PHASE_COMPLETE, {"name": self._names[number], "at": at})

    def _with_error(self, type: str) -> Callable[[bytes], Action]:
        def read(data: bytes) -> Action:
            _, number, at = END.unpack_from(data)
            error = data[END.size :].decode("utf-8", "surrogatepass")
            return Action(type, {"name": self._names[number], "error": error, "at": at})

        return read

    def _cancelled(self, data: bytes) -> Action:
        _, number, at = END.unpack(data)
        return Action(types.PHASE_CANCELLED, {"name": self._names[number], "at": at})

    def _retry(self, data: bytes) -> Action:
        _, number, attempt, most, delay, at = RETRY.unpack_from(data)
        fields = {
            "name": self._names[number],
            "attempt": attempt,
            "error": data[RETRY.size :].decode("utf-8", "surrogatepass"),
            "max_retries": most,
            "delay": delay,
            "at": at,
        }
        return Action(types.PHASE_RETRY, fields)


def _of_run(type: str) -> Callable[[bytes], Action]:
    return lambda data: Action(type, decode(data[1:]))


def _complete_more(data: bytes) -> Action:
    _, _, _, length = COMPLETE_MORE.unpack_from(data)
    return Action(types.PHASE_COMPLETE, decode(data[COMPLETE_MORE.size : COMPLETE_MORE.size + length]))


def _other(data: bytes) -> Action:
    type, payload = decode(data[1:])
    if not isinstance(type, str):
        raise TypeError(f"an action's type is a text, not {type!r}")
    return Action(type, payload)


def kept_in(data: bytes) -> tuple[int, Kept] | None:
    """The phase that a record completes, and how its result is kept; None if it completes none.

    Raises:
        DamagedError: It is none that milo writes.
    """
    kind = data[0] if data else 0
    if kind != entries.PHASE_COMPLETE and kind != entries.PHASE_COMPLETE_MORE:
        return None
    try:
        if kind == entries.PHASE_COMPLETE:
            _, number, how, _ = COMPLETE.unpack_from(data)
            return number, Kept.of_bytes(how, data[COMPLETE.size :])
        _, number, how, length = COMPLETE_MORE.unpack_from(data)
        return number, Kept.of_bytes(how, data[COMPLETE_MORE.size + length :])
    except Exception as error:  # noqa: BLE001 - as above
        raise DamagedError(f"A completion cannot be understood: {error!r}.") from None
