"""Pickles: what goes to Dask workers as bytes, by reference where they can follow it and by value where not."""

from __future__ import annotations

import pickle
import sys
import threading
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from milo.execution.program import files_by_name, main_is_lost

__all__ = ["Pickles", "dumps"]

_lock = threading.Lock()  # guards what follows
_users: dict[str, int] = {}  # of what milo has told cloudpickle, which is one for the whole process


def dumps(value: Any) -> bytes:
    """As bytes: what cannot be found by its name goes along. Raises whatever keeps it from being sent."""
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001 - a lambda, say, or a class of a file that came along with the handler
        return bytes(cloudpickle.dumps(value))


class Pickles:
    """Functions and classes go by the names of their modules as far as these can be imported over there.

    Args:
        by_value: Whether what was loaded from a file by its path, and this program itself, can only go along: workers
            of somebody else's know nothing of them. A run's own workers load them themselves.
    """

    def __init__(self, *, by_value: bool) -> None:
        self._by_value = by_value or bool(main_is_lost())
        self._registered: list[ModuleType] = []
        for name in files_by_name() if by_value else ():
            if name != "__main__":
                _register(sys.modules[name])
                self._registered.append(sys.modules[name])

    def dumps(self, value: Any) -> bytes:
        """As bytes. Raises whatever keeps it from being sent."""
        return bytes(cloudpickle.dumps(value)) if self._by_value else dumps(value)

    def close(self) -> None:
        """Take back what was told to cloudpickle, as far as no other run needs it."""
        while self._registered:
            _unregister(self._registered.pop())


def _register(module: ModuleType) -> None:
    with _lock:
        if module.__name__ in _users:
            _users[module.__name__] += 1
        elif module.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
            _users[module.__name__] = 1


def _unregister(module: ModuleType) -> None:
    with _lock:
        # The program itself may have told it before, or taken it back meanwhile.
        left = _users.get(module.__name__, 0) - 1
        if left > 0:
            _users[module.__name__] = left
        elif (
            _users.pop(module.__name__, 0) and module.__name__ in cloudpickle.list_registry_pickle_by_value()
        ):
            cloudpickle.unregister_pickle_by_value(module)
