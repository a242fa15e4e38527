"""The reducer of the detail view: what it hands on, and how it follows a run and a window."""

from __future__ import annotations

from typing import Any

import pytest

from milo.action import INIT, Action
from milo.pipeline.detail import PipelineViewState, make_detail_reducer
from milo.store import Quit, ReducerResult, Store
from milo.terminal import KEY, RESIZE, Key

from .views import (
    DOWN,
    ENTER,
    UP,
    inner,
    press,
    reducer,
    view,
)


def test_the_first_action_makes_a_view_of_the_initial_state() -> None:
    state = reducer(None, Action(INIT))
    assert state == PipelineViewState(inner(None, Action(INIT)))
    fields = (state.selected_phase, state.expanded, state.log_scroll, state.auto_follow, state.log_height)
    assert fields == (0, False, 0, True, 10)


def test_a_pipeline_state_given_by_hand_becomes_a_view() -> None:
    given = view().pipeline
    assert reducer(given, Action("unknown")) == PipelineViewState(given)


def test_the_view_works_in_a_store() -> None:
    with Store(reducer) as store:
        store.dispatch(Action("@@PIPELINE_START", 5.0))
        store.dispatch(Action(KEY, DOWN))
        assert (store.state.pipeline.status, store.state.selected_phase) == ("running", 1)
        store.dispatch(Action(KEY, Key("q")))
        assert store.quit_requested


def test_an_action_that_changes_nothing_gives_the_same_object() -> None:
    state = reducer(None, Action(INIT))
    assert reducer(state, Action("unknown")) is state
    resized = reducer(state, Action(RESIZE, {"columns": 80, "rows": 18}))
    assert reducer(resized, Action(RESIZE, {"columns": 80, "rows": 18})) is resized
    assert reducer(state, Action(RESIZE, "nonsense")) is state
    assert press(state, UP) is state
    assert press(state, Key("x")) is state
    assert press(state, Key("q", ctrl=True)) is state
    assert press(state, Key("q", alt=True)) is state
    assert reducer(state, Action(KEY, None)) is state


def test_a_view_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        view().expanded = True  # type: ignore[misc]


def test_a_key_never_reaches_the_inner_reducer() -> None:
    heard = []
    wrapped = make_detail_reducer(lambda state, action: heard.append(action.type) or inner(state, action))
    wrapped(wrapped(None, Action(INIT)), Action(KEY, DOWN))
    assert heard == [INIT]


def test_sagas_and_commands_of_the_inner_reducer_are_passed_on() -> None:
    def starts_something(state: Any, action: Action) -> Any:
        return ReducerResult(inner(state, action), sagas=("saga",), cmds=("cmd",))

    result = make_detail_reducer(starts_something)(None, Action(INIT))
    assert isinstance(result, ReducerResult)
    assert (result.sagas, result.cmds) == (("saga",), ("cmd",))
    assert isinstance(result.state, PipelineViewState)


def test_the_wish_to_quit_of_the_inner_reducer_is_passed_on() -> None:
    def quits(state: Any, action: Action) -> Any:
        return Quit(state, code=3, sagas=("saga",), cmds=("cmd",))

    before = view(expanded=True)
    result = make_detail_reducer(quits)(before, Action("end"))
    assert isinstance(result, Quit)
    assert (result.code, result.sagas, result.cmds) == (3, ("saga",), ("cmd",))
    assert result.state is before


@pytest.mark.parametrize("size", [{"columns": 80, "rows": 30}, {"width": 80, "height": 30}])
def test_a_new_window_size_sets_the_height_of_the_logs(size: dict[str, int]) -> None:
    state = reducer(press(view(lines=30), ENTER), Action(RESIZE, size))
    assert (state.log_height, state.log_scroll) == (25, 5)
    assert (state.columns, state.rows) == (80, 30)


def test_a_low_window_has_fewer_lines_around_the_logs() -> None:
    heights = [
        reducer(view(), Action(RESIZE, {"columns": 80, "rows": rows})).log_height for rows in (12, 11, 10)
    ]
    assert heights == [7, 9, 8]


def test_a_tiny_window_still_shows_a_line() -> None:
    assert reducer(view(), Action(RESIZE, {"columns": 1, "rows": 1})).log_height == 1
