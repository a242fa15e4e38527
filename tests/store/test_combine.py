"""combine_reducers: parts of a dict, and what they pass on."""

from __future__ import annotations

from typing import Any

import pytest

from milo.action import Action
from milo.errors import StateError
from milo.store import Quit, ReducerResult, combine_reducers


def number(state: int | None, action: Action) -> Any:
    match action.type:
        case "add":
            return (state or 0) + 1
        case "saga":
            return ReducerResult(state, sagas=("a saga",), cmds=("a command",))
        case "quit":
            return Quit(state, code=2, sagas=("last words",))
    return state or 0


def text(state: str | None, action: Action) -> Any:
    if action.type == "quit":
        return Quit("bye", code=4)
    return state or ""


def test_each_reducer_has_its_own_part() -> None:
    """By the name it was given."""
    reducer = combine_reducers(n=number, t=text)
    state = reducer(None, Action("@@INIT"))
    assert state == {"n": 0, "t": ""}
    assert reducer(state, Action("add")) == {"n": 1, "t": ""}


def test_nothing_changed_gives_the_same_object() -> None:
    """So that a view can tell by identity; parts of others are kept."""
    reducer = combine_reducers(n=number, t=text)
    state = {"n": 1, "t": "x", "other": 5}
    assert reducer(state, Action("unknown")) is state
    assert reducer(state, Action("add"))["other"] == 5


def test_sagas_commands_and_quit_are_passed_on() -> None:
    """With the state around them; the highest exit status wins."""
    reducer = combine_reducers(n=number, t=text)
    state = reducer(None, Action("@@INIT"))
    assert reducer(state, Action("saga")) == ReducerResult(state, ("a saga",), ("a command",))
    assert reducer(state, Action("saga")).state is state
    assert reducer(state, Action("quit")) == Quit({"n": 0, "t": "bye"}, 4, ("last words",))


def test_what_cannot_work_is_refused() -> None:
    """A part that is no reducer, a state that is no dict."""
    with pytest.raises(StateError, match="'n' is not callable"):
        combine_reducers(n=3)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="need a dict"):
        combine_reducers(n=number)([], Action("x"))
