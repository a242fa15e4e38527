"""The keys of the detail view, one after the other."""

from __future__ import annotations

import pytest

from milo.pipeline.detail import PipelineViewState
from milo.pipeline.state import PipelineState
from milo.store import Quit
from milo.terminal import Key, SpecialKey

from .views import (
    BACKSPACE,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    HOME,
    LEFT,
    PAGE_DOWN,
    PAGE_UP,
    RIGHT,
    UP,
    press,
    view,
)

# --- the list ---


def test_up_and_down_select_and_stop_at_the_ends() -> None:
    assert [press(view(), *[DOWN] * times).selected_phase for times in range(6)] == [0, 1, 2, 3, 3, 3]
    assert [press(view(selected_phase=3), *[UP] * times).selected_phase for times in range(6)] == [
        3,
        2,
        1,
        0,
        0,
        0,
    ]


def test_home_end_and_pages_select_as_far_as_there_are_phases() -> None:
    assert press(view(), END).selected_phase == 3
    assert press(view(), END, HOME).selected_phase == 0
    assert press(view(log_height=2), PAGE_DOWN).selected_phase == 2
    assert press(view(log_height=2, selected_phase=3), PAGE_UP).selected_phase == 1


@pytest.mark.parametrize("key", [ENTER, Key(" ")])
def test_enter_or_space_expands(key: Key) -> None:
    assert press(view(), key).expanded


@pytest.mark.parametrize("key", [ESCAPE, Key("q")])
def test_escape_or_q_quits_from_the_list(key: Key) -> None:
    state = view()
    assert press(state, key) == Quit(state)


def test_an_empty_pipeline_has_nothing_to_select_or_expand() -> None:
    empty = PipelineViewState(PipelineState("empty"))
    assert press(empty, DOWN, UP, ENTER, "e") is empty
    assert empty.selected is None


def test_the_selected_phase_can_be_asked_for() -> None:
    selected = view(selected_phase=2).selected
    assert selected is not None
    assert selected.name == "render"


# --- the logs ---


def test_expanding_shows_the_last_lines_while_following() -> None:
    assert press(view(lines=30), ENTER).log_scroll == 20
    assert press(view(lines=5), ENTER).log_scroll == 0


def test_up_and_down_scroll_one_line_and_end_following() -> None:
    state = press(view(lines=30), ENTER, UP)
    assert (state.log_scroll, state.auto_follow) == (19, False)
    assert press(state, DOWN).log_scroll == 20
    assert press(state, DOWN, DOWN, DOWN).log_scroll == 20
    assert press(state, *[UP] * 50).log_scroll == 0
    assert not press(view(lines=30), ENTER, DOWN).auto_follow


@pytest.mark.parametrize("key", [Key("g"), HOME])
def test_g_or_home_goes_to_the_top_and_ends_following(key: Key) -> None:
    state = press(view(lines=30), ENTER, key)
    assert (state.log_scroll, state.auto_follow) == (0, False)


@pytest.mark.parametrize("key", [Key("G"), END, Key("g", shift=True)])
def test_capital_g_or_end_goes_to_the_bottom_and_follows_again(key: Key) -> None:
    state = press(view(lines=30), ENTER, "g", key)
    assert (state.log_scroll, state.auto_follow) == (20, True)


def test_pages_scroll_by_the_height_of_the_logs() -> None:
    state = press(view(lines=30), ENTER, PAGE_UP)
    assert (state.log_scroll, state.auto_follow) == (10, False)
    assert press(state, PAGE_UP, PAGE_UP).log_scroll == 0
    assert press(state, PAGE_DOWN, PAGE_DOWN).log_scroll == 20


def test_f_toggles_following_and_jumps_to_the_bottom_when_on() -> None:
    state = press(view(lines=30), ENTER, "f")
    assert (state.log_scroll, state.auto_follow) == (20, False)
    state = press(state, "g", "f")
    assert (state.log_scroll, state.auto_follow) == (20, True)


@pytest.mark.parametrize("key", [ENTER, ESCAPE])
def test_enter_or_escape_collapses(key: Key) -> None:
    assert not press(view(), ENTER, key).expanded


def test_q_quits_from_the_logs_too() -> None:
    state = press(view(), ENTER)
    assert press(state, "q") == Quit(state)


# --- filter and failures ---


def test_typing_after_a_slash_narrows_the_list_whatever_the_case() -> None:
    state = press(view(), "/", "R", "E")
    assert state.filtering
    assert (state.filter, state.listed, state.selected_phase) == ("RE", (2,), 2)


def test_command_keys_are_plain_characters_while_filtering() -> None:
    assert press(view(), "/", *"qe/ ").filter == "qe/ "


def test_enter_accepts_a_filter_and_keys_work_on_what_is_listed() -> None:
    state = press(view(), "/", "e", "r", BACKSPACE, ENTER)
    assert (state.filtering, state.filter, state.listed) == (False, "e", (0, 1, 2, 3))
    state = press(view(), "/", "r", ENTER)
    assert state.listed == (1, 2, 3)
    assert [press(state, *[UP] * 3).selected_phase, press(state, *[DOWN] * 5).selected_phase] == [1, 3]


def test_arrows_select_while_filtering() -> None:
    assert press(view(), "/", "r", DOWN).selected_phase == 2


def test_a_key_that_types_nothing_visible_leaves_the_filter_alone() -> None:
    assert press(view(), "/", "r", Key("\x00"), Key(""), Key(name=SpecialKey.F1)).filter == "r"


def test_arrows_find_the_nearest_listed_phase_from_one_that_is_hidden() -> None:
    hidden = view(selected_phase=2, filter="t")
    assert hidden.listed == (0, 3)
    assert (press(hidden, DOWN).selected_phase, press(hidden, UP).selected_phase) == (3, 0)
    assert press(view(filter="r"), DOWN).selected_phase == 1


def test_escape_clears_a_filter_before_it_quits() -> None:
    state = press(view(), "/", "r", ESCAPE)
    assert (state.filtering, state.filter, state.selected_phase) == (False, "", 1)
    state = press(view(), "/", "r", ENTER, ESCAPE)
    assert state.filter == ""
    assert isinstance(press(state, ESCAPE), Quit)


def test_backspace_in_an_empty_filter_ends_filtering() -> None:
    assert not press(view(), "/", "r", BACKSPACE, BACKSPACE).filtering


def test_a_filter_that_nothing_matches_lists_nothing_and_loses_no_selection() -> None:
    state = press(view(), DOWN, "/", "z", ENTER)
    assert (state.listed, state.selected, state.selected_phase) == ((), None, 1)
    assert press(state, DOWN, UP, ENTER, "e") is state
    assert press(state, ESCAPE).selected_phase == 1


def test_slash_goes_back_to_the_list() -> None:
    state = press(view(), ENTER, "/")
    assert (state.expanded, state.filtering) == (False, True)


def test_e_goes_to_the_next_failed_phase_and_around() -> None:
    state = view("pfpf")
    assert [press(state, *["e"] * times).selected_phase for times in range(4)] == [0, 1, 3, 1]
    assert press(view(), "e").selected_phase == 0
    assert press(state, ENTER, "e").expanded


def test_e_heeds_the_filter() -> None:
    assert press(view("pfpf"), "/", "w", ENTER, "e", "e").selected_phase == 3


def test_r_goes_to_the_next_running_phase_and_around() -> None:
    state = view("prpr")
    assert [press(state, *["r"] * times).selected_phase for times in range(4)] == [0, 1, 3, 1]


def test_left_and_right_show_other_parts_of_long_lines() -> None:
    state = press(view(lines=3), ENTER, RIGHT, RIGHT, LEFT)
    assert state.log_column == 20
    assert press(state, LEFT, LEFT).log_column == 0
    assert press(state, ESCAPE, DOWN, ENTER).log_column == 0
