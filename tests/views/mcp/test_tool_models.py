"""What agents send is checked before anything is done, and what they are told has a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from milo import PhaseStatus, PipelineState
from milo.views.mcp.addresses import logs_uri
from milo.views.mcp.tool_models import (
    CancelArguments,
    ExplainArguments,
    Explanation,
    Outcome,
    ResumeArguments,
    RunArguments,
)
from tests.views.mcp.world import look_at, state_of

LONG = "x" * 10_001
STRING = "Input should be a valid string"
BOOLEAN = "Input should be a valid boolean"
EXTRA = "Extra inputs are not permitted"
NUL = "Value error, a null character cannot be passed on"
TOO_LONG = "String should have at most 10000 characters"
REFUSED: list[tuple[type[BaseModel], dict[str, Any], str]] = [
    (RunArguments, {"phase": "a"}, EXTRA),
    (RunArguments, {"phases": "a"}, "Input should be a valid list"),
    (RunArguments, {"phases": [1]}, STRING),
    (RunArguments, {"phases": [None]}, STRING),
    (RunArguments, {"phases": ["a\0b"]}, NUL),
    (RunArguments, {"phases": [LONG]}, TOO_LONG),
    (RunArguments, {"phases": ["a"] * 10_001}, "List should have at most 10000 items"),
    (RunArguments, {"parameters": ["x=1"]}, "Input should be a valid dictionary"),
    (RunArguments, {"parameters": {"a-b": "1"}}, "Value error, 'a-b' is no name of a parameter"),
    (RunArguments, {"parameters": {"": "1"}}, "Value error, '' is no name of a parameter"),
    (RunArguments, {"parameters": {"-p": "1"}}, "Value error, '-p' is no name of a parameter"),
    (RunArguments, {"parameters": {"a=b": "1"}}, "Value error, 'a=b' is no name of a parameter"),
    (RunArguments, {"parameters": {"a" * 201: "1"}}, "String should have at most 200 characters"),
    (RunArguments, {"parameters": {"a": "1\0"}}, NUL),
    (RunArguments, {"parameters": {"a": None}}, STRING),
    (RunArguments, {"parameters": {"a": ["1", [2]]}}, STRING),
    (RunArguments, {"parameters": {"a": LONG}}, TOO_LONG),
    (RunArguments, {"keep_going": "yes"}, BOOLEAN),
    (RunArguments, {"keep_going": 1}, BOOLEAN),
    (RunArguments, {"wait": None}, BOOLEAN),
    (ResumeArguments, {"run": 3}, STRING),
    (ResumeArguments, {"run": "r\0"}, NUL),
    (ResumeArguments, {"run": LONG}, TOO_LONG),
    (ResumeArguments, {"phases": []}, EXTRA),
    (ResumeArguments, {"wait": "no"}, BOOLEAN),
    (CancelArguments, {"run": ["r"]}, STRING),
    (CancelArguments, {"force": True}, EXTRA),
    (CancelArguments, {"run": "\0"}, NUL),
    (ExplainArguments, {"phases": {"a": 1}}, "Input should be a valid list"),
    (ExplainArguments, {"run": False}, STRING),
    (ExplainArguments, {"wait": True}, EXTRA),
    (ExplainArguments, {"parameters": None}, "Input should be a valid dictionary"),
]


@pytest.mark.parametrize(("model", "given", "message"), REFUSED)
def test_wrong_arguments_are_refused(model: type[BaseModel], given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate(given)
    assert any(each["msg"].startswith(message) for each in error.value.errors())


def test_what_is_left_out_means_everything_at_once() -> None:
    assert RunArguments() == RunArguments(phases=[], parameters={}, keep_going=False, wait=True)
    assert ResumeArguments() == ResumeArguments(run="", keep_going=False, wait=True)
    assert CancelArguments() == CancelArguments(run="")
    assert ExplainArguments() == ExplainArguments(phases=[], parameters={}, run="")


def test_names_that_look_like_options_are_names() -> None:
    given = RunArguments(phases=["--journal=/x", "-p", "../x"], parameters={"été": ["a", "--b"]})
    assert given.phases == ["--journal=/x", "-p", "../x"]


@pytest.mark.parametrize("model", [RunArguments, ResumeArguments, CancelArguments, ExplainArguments])
def test_each_argument_is_described_and_none_is_required(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    assert all(field["description"] for field in schema["properties"].values())


def test_the_schema_tells_the_limits() -> None:
    properties = RunArguments.model_json_schema()["properties"]
    assert (properties["phases"]["maxItems"], properties["phases"]["items"]["maxLength"]) == (10_000, 10_000)
    assert ResumeArguments.model_json_schema()["properties"]["run"]["maxLength"] == 10_000


def test_an_outcome_tells_what_has_failed_and_where_to_read_more() -> None:
    phases = [
        PhaseStatus("a", "completed"),
        PhaseStatus("b c", "failed", error="\x1b[31mno"),
        PhaseStatus("d", "cancelled"),
    ]
    outcome = Outcome.of(look_at(PipelineState("p", phases, "", 1.0, 2.0, 0.5, "failed")))
    assert outcome.model_dump() == {
        "run": "r1",
        "pipeline": "p",
        "status": "failed",
        "progress": 0.5,
        "elapsed": 2.0,
        "phases": {"completed": 1, "failed": 1, "cancelled": 1},
        "failed": [{"phase": "b c", "error": "no", "logs": logs_uri("b c")}],
        "resumable": True,
        "note": "",
    }


def test_an_outcome_tells_what_was_interrupted_and_what_is_wrong() -> None:
    look = look_at(state_of("completed", "running", "retrying"), status="interrupted", note="odd")
    outcome = Outcome.of(look)
    assert outcome.phases == {"completed": 1, "interrupted": 2}
    assert (outcome.note, outcome.resumable) == ("odd", True)
    assert not Outcome.of(look._replace(broken=True)).resumable


def test_an_error_is_told_as_far_as_somebody_reads_it() -> None:
    state = PipelineState("p", [PhaseStatus("a", "failed", error="x" * 1_004_000)])
    assert Outcome.of(look_at(state)).failed[0].error == f"{'x' * 4000}… (1,000,000 characters more)"


def test_values_may_be_text_numbers_and_booleans() -> None:
    """Each stays what it is: 1 is no boolean and true no number."""
    given: dict[str, Any] = {"a": "1", "b": 1, "c": True, "d": [0.5, False, "x", 0]}
    found = RunArguments.model_validate({"parameters": given}).parameters
    assert found == given
    assert [type(value) for value in (found["b"], found["c"])] == [int, bool]
    assert [type(value) for value in found["d"]] == [float, bool, str, int]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "resumable"),
    [
        ("running", False),
        ("pending", False),
        ("completed", False),
        ("failed", True),
        ("cancelled", True),
        ("interrupted", True),
    ],
)
def test_what_was_not_finished_can_be_gone_on_with(status: str, resumable: bool) -> None:
    assert Outcome.of(look_at(state_of("running"), status=status)).resumable is resumable


def test_of_very_many_failures_the_first_fifty_are_told() -> None:
    outcome = Outcome.of(look_at(PipelineState("p", (PhaseStatus(f"p{at}", "failed") for at in range(60)))))
    assert [each.phase for each in outcome.failed] == [f"p{at}" for at in range(50)]
    assert outcome.phases == {"failed": 60}


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_an_outcome_is_one_line_of_json_whatever_an_error_says(name: str, error: str) -> None:
    state = PipelineState("p", [PhaseStatus(name, "failed", error=error)], status="failed")
    text = Outcome.of(look_at(state)).model_dump_json(ensure_ascii=True)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["failed"][0]["phase"] == name


def test_an_explanation_is_what_milo_explain_prints() -> None:
    found = {
        "pipeline": "p",
        "target": "/build.py:pipeline",
        "run": None,
        "status": None,
        "hindrance": "",
        "damage": "",
        "phases": [{"phase": "a", "runs": True, "reason": "new"}],
    }
    assert Explanation.model_validate(found).model_dump() == found
