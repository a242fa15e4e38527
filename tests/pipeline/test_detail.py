"""The detail view: what each key does, and that following costs no more than counting lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.action import INIT, Action
from milo.pipeline.detail import PipelineViewState, make_detail_reducer
from milo.pipeline.reducer import make_reducer
from milo.pipeline.state import PhaseLog, PhaseStatus, PipelineState, Roster
from milo.store import Quit, ReducerResult, Store
from milo.terminal import KEY, RESIZE, Key, SpecialKey

NAMES = ["fetch", "parse", "render", "write"]
UP, DOWN = Key(name=SpecialKey.UP), Key(name=SpecialKey.DOWN)
HOME, END = Key(name=SpecialKey.HOME), Key(name=SpecialKey.END)
PAGE_UP, PAGE_DOWN = Key(name=SpecialKey.PAGE_UP), Key(name=SpecialKey.PAGE_DOWN)
ENTER, ESCAPE = Key(name=SpecialKey.ENTER), Key(name=SpecialKey.ESCAPE)
BACKSPACE = Key(name=SpecialKey.BACKSPACE)

inner = make_reducer("build", Roster("build", NAMES, [1.0] * 4, [100] * 4))
reducer = make_detail_reducer(inner)


def view(statuses: str = "pppp", lines: int = 0, **fields: Any) -> PipelineViewState:
    """A view of phases with these statuses (p: pending, f: failed), the first with that many log lines."""
    words = {"p": "pending", "f": "failed"}
    logs = [PhaseLog(f"line {number}") for number in range(lines)]
    phases = [
        PhaseStatus(name, words[status], logs=[] if number else logs)
        for number, (name, status) in enumerate(zip(NAMES, statuses, strict=False))
    ]
    return PipelineViewState(PipelineState("build", phases, status="running"), **fields)


def press(state: Any, *keys: Key | str) -> Any:
    for key in keys:
        state = reducer(state, Action(KEY, Key(key) if isinstance(key, str) else key))
    return state


def log(state: Any, count: int = 1, name: str = "fetch") -> Any:
    for number in range(count):
        state = reducer(state, Action("@@PHASE_LOG", {"name": name, "line": f"new {number}"}))
    return state


# --- wrapping ---


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
    assert reducer(state, Action(RESIZE, {"columns": 80, "rows": 18})) is state
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
    assert state.selected.logs[state.log_scroll] is before
    assert log(state, 200).log_scroll == 0


def test_a_new_start_of_the_run_scrolls_back_to_where_there_are_lines() -> None:
    state = log(press(reducer(None, Action(INIT)), ENTER), 50)
    state = press(state, UP)
    assert reducer(state, Action("@@PIPELINE_START", 1.0)).log_scroll == 0


def test_following_makes_no_phase() -> None:
    """Reading all phases at each action would cost as much as there are phases."""
    state = log(press(reducer(None, Action(INIT)), ENTER), 50)
    assert not hasattr(state.pipeline, "_phases")


# --- window size ---


@pytest.mark.parametrize("size", [{"columns": 80, "rows": 30}, {"width": 80, "height": 30}])
def test_a_new_window_size_sets_the_height_of_the_logs(size: dict[str, int]) -> None:
    state = reducer(press(view(lines=30), ENTER), Action(RESIZE, size))
    assert (state.log_height, state.log_scroll) == (22, 8)


def test_a_tiny_window_still_shows_a_line() -> None:
    assert reducer(view(), Action(RESIZE, {"columns": 1, "rows": 1})).log_height == 1


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
        bottom = max(0, len(state.pipeline.phases[state.selected_phase].logs) - state.log_height)
        assert 0 <= state.log_scroll <= bottom
        assert not state.auto_follow or state.log_scroll == bottom
        assert not state.expanded or state.selected is not None
