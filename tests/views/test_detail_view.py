"""The detail view of a run that goes on elsewhere: what its batches, its end and the keys make of the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milo.action import INIT, Action
from milo.pipeline import PHASE_LOG, PHASE_START, Phase, Pipeline
from milo.terminal import KEY, Key, SpecialKey
from milo.views.detail import DetailView


@pytest.fixture
def pipeline() -> Pipeline:
    phases = [Phase(name, handler=lambda: None, parallel=True, max_logs=50) for name in ("a", "b")]
    return Pipeline("build", *phases)


@pytest.fixture
def make(pipeline: Pipeline) -> Any:
    made = []

    def make(**options: Any) -> DetailView:
        made.append(DetailView(pipeline.build_reducer()(None, Action(INIT)), **options))
        return made[-1]

    yield make
    for view in made:
        view.app.store.shutdown()


def press(view: DetailView, *keys: Key | str) -> None:
    for key in keys:
        view.app.store.dispatch(Action(KEY, Key(key) if isinstance(key, str) else key))


def start(name: str) -> Action:
    return Action(PHASE_START, {"name": name, "attempt": 1, "at": 0.0})


def logs(name: str, first: int, end: int) -> list[Action]:
    lines = [
        {"name": name, "line": f"line {n}", "stream": "stdout", "timestamp": 0.0} for n in range(first, end)
    ]
    return [Action(PHASE_LOG, line) for line in lines]


def test_a_batch_moves_the_picture(make: Any, pipeline: Pipeline, feed: Callable[..., Any]) -> None:
    view = make(color=False)
    feed(view, pipeline, [start("a"), *logs("a", 0, 3)], close=False)
    picture = view.app.render(80, 24)
    assert "▸ a" in picture
    assert "line 2" in picture
    assert "· b" in picture


def test_what_is_being_read_stays_in_place_when_a_batch_pushes_lines_out(
    make: Any, pipeline: Pipeline
) -> None:
    view = make(color=False)
    reducer = pipeline.build_reducer()
    state = None
    for action in [Action("@@PIPELINE_START", 0.0), start("a"), *logs("a", 0, 50)]:
        state = reducer(state, action)
    view.on_actions([], state)
    enter = Key(name=SpecialKey.ENTER)
    press(view, enter, Key(name=SpecialKey.UP), Key(name=SpecialKey.UP), Key(name=SpecialKey.UP))
    before = view.app.render(80, 15).splitlines()[3:12]
    batch = [*logs("a", 50, 57), *logs("b", 0, 5)]
    for action in batch:
        state = reducer(state, action)
    view.on_actions(batch, state)
    assert before[0].startswith("line ")
    assert view.app.render(80, 15).splitlines()[3:12] == before


def test_quitting_while_the_run_goes_on_has_to_be_confirmed(make: Any) -> None:
    view = make(asks=True)
    store = view.app.store
    press(view, "q")
    assert "Cancel the run?" in view.app.render()
    press(view, Key("l", ctrl=True))
    assert "Cancel the run?" in view.app.render()
    press(view, "x")
    assert "Cancel the run?" not in view.app.render()
    assert not store.quit_requested
    press(view, "q", "y")
    assert store.quit_requested


@pytest.mark.parametrize("asks", [False, True])
def test_when_the_run_is_over_quitting_is_not_asked_about(make: Any, asks: bool) -> None:
    view = make(asks=asks)
    if asks:
        view.close(view.state)
    press(view, Key(name=SpecialKey.ESCAPE))
    assert view.app.store.quit_requested


def test_the_end_of_the_run_takes_the_question_back(make: Any) -> None:
    view = make(asks=True, closes=True)
    press(view, "q")
    view.close(view.state)
    assert "Cancel the run?" not in view.app.render()
    assert not view.app.store.quit_requested


def test_a_view_that_closes_does_so_unless_a_key_was_pressed(make: Any) -> None:
    untouched, touched, staying = make(closes=True), make(closes=True), make()
    press(touched, "x")
    press(untouched, Key("d", ctrl=True))
    for view in (untouched, touched, staying):
        view.close(view.state)
    assert [view.app.store.quit_requested for view in (untouched, touched, staying)] == [True, False, False]


def test_an_outcome_that_the_run_cannot_say_stands_in_the_title_and_stops_its_time(
    make: Any, pipeline: Pipeline, feed: Callable[..., Any]
) -> None:
    view = make(color=False)
    feed(view, pipeline, [start("a")], close=False)
    view.set_outcome("interrupted", "its process is gone")
    picture = view.app.render()
    assert "build  interrupted" in picture
    assert "its process is gone" in picture
    assert picture.splitlines()[0].endswith("0.00 s")
    view.set_outcome("")
    assert "build  running" in view.app.render()


def test_once_the_view_was_left_the_run_may_go_on(
    make: Any, pipeline: Pipeline, feed: Callable[..., Any]
) -> None:
    view = make()
    view.leave()
    assert view.app.store.quit_requested
    view.app.store.shutdown()
    assert view.state.status == "pending"
    final = feed(view, pipeline, [start("a")])
    assert view.over
    assert view.state is final
