"""Pickles: what goes to Dask workers as bytes, by reference where they can follow it and by value where not."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from milo.execution.program import files_by_name

__all__ = ["Pickles", "dumps"]


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
        self._by_value = by_value or not hasattr(sys.modules["__main__"], "__file__")
        known = cloudpickle.list_registry_pickle_by_value()
        self._registered = []
        for name in files_by_name() if by_value else ():
            if name not in known and name != "__main__":
                cloudpickle.register_pickle_by_value(sys.modules[name])
                self._registered.append(sys.modules[name])

    def dumps(self, value: Any) -> bytes:
        """As bytes. Raises whatever keeps it from being sent."""
        return bytes(cloudpickle.dumps(value)) if self._by_value else dumps(value)

    def close(self) -> None:
        """Take back what was told to cloudpickle, which is one for the whole process."""
        for module in self._registered:
            cloudpickle.unregister_pickle_by_value(module)
        self._registered.clear()
