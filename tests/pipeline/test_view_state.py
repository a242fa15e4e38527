"""The state of the detail view: it follows a run without cost, and never looks where there is nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milo.action import INIT, Action
from milo.pipeline.detail import make_detail_reducer
from milo.pipeline.reducer import make_reducer
from milo.pipeline.state import Roster
from milo.store import Quit
from milo.terminal import KEY, RESIZE, Key

from .views import (
    BACKSPACE,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    HOME,
    NAMES,
    PAGE_DOWN,
    PAGE_UP,
    UP,
    log,
    press,
    reducer,
    view,
)


def test_following_stays_at_the_bottom_as_lines_arrive() -> None:
    state = press(view(lines=30), ENTER)
    assert log(state, 5).log_scroll == 25
    assert log(state, 5, name="write").log_scroll == 20


def test_without_following_the_lines_stay_where_they_are() -> None:
    state = press(view(lines=30), ENTER, UP)
    assert log(state, 5).log_scroll == 19


def test_what_is_read_stays_in_place_when_a_full_log_loses_its_first_lines() -> None:
    state = log(press(reducer(None, Action(INIT)), ENTER), 100)
    state = press(state, *[UP] * 40)
    before = state.selected.logs[state.log_scroll]
    state = log(state, 7)
    assert len(state.selected.logs) == 100
    assert state.selected.logs[state.log_scroll] == before
    assert log(state, 200).log_scroll == 0


def test_a_new_start_of_the_run_scrolls_back_to_where_there_are_lines() -> None:
    state = log(press(reducer(None, Action(INIT)), ENTER), 50)
    state = press(state, UP)
    assert reducer(state, Action("@@PIPELINE_START", 1.0)).log_scroll == 0


def test_following_makes_no_phase() -> None:
    """Reading all phases at each action would cost as much as there are phases."""
    state = log(press(reducer(None, Action(INIT)), ENTER), 50)
    assert not hasattr(state.pipeline, "_phases")


# --- whatever happens ---

KEYS = [UP, DOWN, HOME, END, PAGE_UP, PAGE_DOWN, ENTER, ESCAPE, BACKSPACE, *map(Key, "gGfe/r q")]
actions = st.one_of(
    st.sampled_from([Action(KEY, key) for key in KEYS]),
    st.sampled_from(NAMES).map(lambda name: Action("@@PHASE_LOG", {"name": name, "line": "x"})),
    st.sampled_from(NAMES).map(lambda name: Action("@@PHASE_FAILED", {"name": name, "error": "no"})),
    st.integers(0, 40).map(lambda rows: Action(RESIZE, {"columns": 80, "rows": rows})),
    st.just(Action("@@PIPELINE_START", 1.0)),
)
few_lines = make_detail_reducer(make_reducer("build", Roster("build", NAMES, [1.0] * 4, [5, 5, 30, 0])))


@given(st.lists(actions, max_size=60))
def test_selection_and_scrolling_stay_inside_whatever_happens(history: list[Action]) -> None:
    state = few_lines(None, Action(INIT))
    for action in history:
        state = few_lines(state, action)
        state = state.state if isinstance(state, Quit) else state
        phase = state.pipeline.phases[state.selected_phase]
        shows_error = phase.status == "failed" and state.columns
        bottom = max(0, len(phase.logs) + (2 if shows_error else 0) - state.log_height)
        assert 0 <= state.log_scroll <= bottom
        assert 0 <= state.list_scroll < len(NAMES)
        assert not state.auto_follow or state.log_scroll == bottom
        assert not state.expanded or state.selected is not None


# --- the error below the logs ---


def sized(state: Any, columns: int = 20, rows: int = 15) -> Any:
    return reducer(state, Action(RESIZE, {"columns": columns, "rows": rows}))


def failed(error: str, lines: int = 30) -> Any:
    return reducer(
        log(sized(press(view(), ENTER)), lines), Action("@@PHASE_FAILED", {"name": "fetch", "error": error})
    )


def test_an_error_is_scrolled_with_the_logs_and_is_in_sight_at_the_bottom() -> None:
    """A line of its own stands between them; what is longer than the screen takes several."""
    assert failed("boom").log_scroll == 30 + 1 + 1 - 10
    assert failed("one\ntwo\n" + "x" * 50).log_scroll == 30 + 1 + 5 - 10
    assert press(failed("boom"), "g", UP, DOWN).log_scroll == 1


def test_an_error_that_goes_away_leaves_nothing_to_scroll_to() -> None:
    state = press(failed("\n".join(["long", "error"] * 50)), UP)
    assert reducer(state, Action("@@PHASE_START", {"name": "fetch", "at": 9.0})).log_scroll == 20


def test_without_a_known_width_only_logs_count() -> None:
    state = reducer(
        log(press(view(), ENTER), 30), Action("@@PHASE_FAILED", {"name": "fetch", "error": "boom"})
    )
    assert state.log_scroll == 20


# --- the list ---


def test_the_list_scrolls_no_further_than_the_selection_needs() -> None:
    state = view(log_height=2)
    seen = []
    for key in (DOWN, DOWN, DOWN, UP, UP, UP):
        state = press(state, key)
        seen.append((state.selected_phase, state.list_scroll))
    assert seen == [(1, 0), (2, 1), (3, 2), (2, 2), (1, 1), (0, 0)]


def test_a_filter_scrolls_among_what_is_listed() -> None:
    state = press(view(log_height=2, selected_phase=3, list_scroll=2), "/", "r", "e")
    assert (state.listed, state.list_scroll) == ((2,), 0)


def test_a_phase_that_is_selected_anew_is_followed() -> None:
    state = press(view("fp"), ENTER, "g", "e", ESCAPE, DOWN)
    assert state.auto_follow
