"""What a reducer may return beside a plain state: sagas and commands to start, or the wish to quit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from milo.value import Value, assign, setters

__all__ = ["Quit", "ReducerResult"]


class ReducerResult(Value):
    """A new state, and what to start because of it.

    Args:
        state: The new state.
        sagas: Generators, or callables that return one, each started by itself.
        cmds: Commands (Cmd, Batch, Sequence, TickCmd) to carry out.
    """

    __slots__ = ("cmds", "sagas", "state")
    __match_args__ = ("state", "sagas", "cmds")
    state: Any
    sagas: tuple[Any, ...]
    cmds: tuple[Any, ...]

    def __init__(self, state: Any, sagas: Iterable[Any] = (), cmds: Iterable[Any] = ()) -> None:
        assign(self, _RESULT, (state, tuple(sagas), tuple(cmds)))


_RESULT = setters(ReducerResult)


class Quit(Value):
    """Like ReducerResult, and asks whoever runs the store to end with exit status `code`."""

    __slots__ = ("cmds", "code", "sagas", "state")
    __match_args__ = ("state", "code", "sagas", "cmds")
    state: Any
    code: int
    sagas: tuple[Any, ...]
    cmds: tuple[Any, ...]

    def __init__(
        self, state: Any, code: int = 0, sagas: Iterable[Any] = (), cmds: Iterable[Any] = ()
    ) -> None:
        assign(self, _QUIT, (state, code, tuple(sagas), tuple(cmds)))


_QUIT = setters(Quit)
