"""What a run refuses before anything starts."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

import milo
from milo.errors import PipelineError, StateError

from .helpers import one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_workers": 0}, "max_workers must be at least 1, got 0"),
        ({"max_workers": -3}, "max_workers must be at least 1, got -3"),
        ({"max_workers": 2.0}, "max_workers must be a whole number, got 2.0"),
        ({"max_workers": True}, "max_workers must be a whole number, got True"),
        ({"grace": -1}, "grace must be a finite number of seconds, at least 0, got -1"),
        ({"grace": math.nan}, "grace must be a finite number"),
        ({"grace": math.inf}, "grace must be a finite number"),
        ({"grace": "5"}, "grace must be a finite number"),
        ({"on_state": 7}, "on_state must be callable, got 7"),
        ({"executor": "clouds"}, "executor must name an executor or be one, got 'clouds'"),
        ({"resume": "last"}, "resume='last' needs the journal that holds the run"),
    ],
)
def test_an_argument_is_refused(arguments: dict[str, Any], message: str) -> None:
    ran: list[int] = []
    with pytest.raises(StateError) as caught:
        milo.run(one(lambda: ran.append(1)), **arguments)
    assert str(caught.value).startswith(message)
    with pytest.raises(StateError):
        asyncio.run(milo.arun(one(lambda: ran.append(1)), **arguments))
    assert ran == []


def test_something_else_than_a_pipeline_is_refused() -> None:
    with pytest.raises(StateError, match="run needs a Pipeline, got 7"):
        milo.run(7)  # type: ignore[arg-type]


def test_only_with_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        PipelineError, match=r"'its' does not exist\. Available phases: it\. Did you mean 'it'"
    ):
        milo.run(one(lambda: None), only=("its",))


@pytest.mark.parametrize("grace", [0, 0.0, 3, 1e9])
def test_a_grace_is_accepted(grace: float) -> None:
    assert milo.run(one(lambda: 1), grace=grace).ok


@pytest.mark.parametrize("mask", ["TOKEN", ("A=b",), ("",), (7,)])
def test_a_mask_that_names_no_variables_is_refused(mask: Any) -> None:
    ran: list[int] = []
    with pytest.raises(StateError, match="mask must"):
        milo.run(one(lambda: ran.append(1)), mask=mask)
    with pytest.raises(StateError, match="mask must"):
        asyncio.run(milo.arun(one(lambda: ran.append(1)), mask=mask))
    assert ran == []
