"""The signatures of what users hand to a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from milo.action import Action

__all__ = ["Dispatch", "GetState", "Listener", "Middleware", "Reducer"]

Reducer: TypeAlias = Callable[[Any, Action], Any]
Dispatch: TypeAlias = Callable[[Action], Any]
GetState: TypeAlias = Callable[[], Any]
Listener: TypeAlias = Callable[[], object]
Middleware: TypeAlias = Callable[[Dispatch, GetState], Dispatch]
