"""A run that never ran: actions go through the real reducer and on to a view."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from milo.action import Action
from milo.pipeline import PIPELINE_START, Pipeline
from milo.views.format import Output


@pytest.fixture
def tape() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def out(tape: io.StringIO) -> Output:
    return Output(tape)


@pytest.fixture
def feed() -> Callable[..., Any]:
    """Give the actions to a view, each with the state after it, then close it; the final state comes back."""

    def feed(view: Any, pipeline: Pipeline, actions: Sequence[Action], close: bool = True) -> Any:
        reducer = pipeline.build_reducer()
        state = None
        for action in [Action(PIPELINE_START, {"at": 0.0, "time": 0.0, "run_id": "r"}), *actions]:
            state = reducer(state, action)
            view.on_actions([action], state)
        if close:
            view.close(state)
        return state

    return feed
