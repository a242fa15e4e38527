"""combine_reducers: one reducer out of several, each with its own part of the state."""

from __future__ import annotations

from typing import Any

from milo.action import Action
from milo.errors import StateError
from milo.store.results import Quit, ReducerResult
from milo.store.types import Reducer

__all__ = ["combine_reducers"]


def combine_reducers(**reducers: Reducer) -> Reducer:
    """Give each reducer the part of a dict state that bears its name.

    Sagas, commands and Quit of each are passed on. When no part changed, the very same dict is returned.

    Raises:
        StateError: A reducer is not callable, or the state is not a mapping.
    """
    for name, reducer in reducers.items():
        if not callable(reducer):
            raise StateError(f"The reducer {name!r} is not callable: got {reducer!r}.")

    def combined(state: Any, action: Action) -> Any:
        if state is not None and not isinstance(state, dict):
            raise StateError(f"Combined reducers need a dict as their state, got {type(state).__name__}.")
        before: dict[str, Any] = {} if state is None else state
        after = dict(before)
        sagas: list[Any] = []
        cmds: list[Any] = []
        quit_code: int | None = None
        for name, reducer in reducers.items():
            part = reducer(before.get(name), action)
            if isinstance(part, Quit | ReducerResult):
                sagas += part.sagas
                cmds += part.cmds
                if isinstance(part, Quit):
                    quit_code = part.code if quit_code is None else max(quit_code, part.code)
                part = part.state
            after[name] = part
        changed = state is None or any(
            name not in before or after[name] is not before[name] for name in reducers
        )
        result = after if changed else state
        if quit_code is not None:
            return Quit(result, quit_code, sagas, cmds)
        return ReducerResult(result, sagas, cmds) if sagas or cmds else result

    return combined
