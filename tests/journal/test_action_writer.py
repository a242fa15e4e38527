"""Every action becomes a record and comes back as it was, whatever its payload."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Action
from milo.journal.action_reader import ActionReader, kept_in
from milo.journal.action_writer import ActionWriter
from milo.journal.codec import encode
from milo.journal.entries import PHASE_COMPLETE, PHASE_START, Kept
from milo.pipeline import actions as types
from tests.journal.values import VALUES, same

NAMES = ["a", "b"]


def keep(name: str, result: Any) -> Kept:
    return Kept(encode(result))


writer = ActionWriter({name: number for number, name in enumerate(NAMES)}, keep)
reader = ActionReader(NAMES)


def back(action: Action) -> Action:
    return reader.decode(writer.encode(action))


TYPES = st.sampled_from([value for name, value in vars(types).items() if name.isupper()])


@given(TYPES, VALUES)
def test_any_payload(kind: str, payload: Any) -> None:
    """An action with any payload that the codec knows comes back; only a completion's result is apart."""
    if kind == types.PHASE_COMPLETE and isinstance(payload, dict):
        payload.pop("result", None)
    found = back(Action(kind, payload))
    assert found.type == kind
    assert same(found.payload, payload)


FIELDS = {
    types.PHASE_START: ("attempt",),
    types.PHASE_FAILED: ("error",),
    types.PHASE_SKIPPED: ("error",),
    types.PHASE_CANCELLED: (),
    types.PHASE_RETRY: ("attempt", "error", "max_retries", "delay"),
}


@given(
    st.sampled_from(list(FIELDS)),
    st.sampled_from(["a", "b", "unknown", 1, True, None]),
    st.one_of(st.floats(), st.integers(), st.booleans()),
    st.one_of(st.integers(), st.booleans(), st.floats(), st.just(2**32), st.just(2**32 - 1)),
    st.text(st.characters(codec=None)),
    st.sampled_from([{}, {"more": 1}]),
)
def test_layouts(kind: str, name: Any, at: Any, number: Any, error: str, more: dict[str, int]) -> None:
    """A payload that nearly has the usual fields comes back as exactly as one that has."""
    values = {"attempt": number, "error": error, "max_retries": number, "delay": at}
    payload = {"name": name, **{field: values[field] for field in FIELDS[kind]}, "at": at, **more}
    found = back(Action(kind, payload))
    assert same({key: found.payload[key] for key in payload}, payload)
    assert len(found.payload) == len(payload)


def test_usual_actions_are_short() -> None:
    """The two actions of an ordinary phase take few bytes."""
    start = writer.encode(Action(types.PHASE_START, {"name": "a", "attempt": 1, "at": 1.5}))
    done = writer.encode(Action(types.PHASE_COMPLETE, {"name": "a", "result": None, "at": 1.5}))
    assert (start[0], done[0]) == (PHASE_START, PHASE_COMPLETE)
    assert len(start) + len(done) < 40


@pytest.mark.parametrize("more", [{}, {"reused": True}, {"at": 3}])
def test_result_is_told_apart(more: dict[str, Any]) -> None:
    """A completion says how its result is kept, whatever other fields it has."""
    payload = {"name": "b", "result": [1], "at": 2.5, **more}
    data = writer.encode(Action(types.PHASE_COMPLETE, payload))
    found = kept_in(data)
    assert found is not None
    assert found[0] == 1
    assert found[1].data == encode([1])
    assert reader.decode(data).payload == {key: value for key, value in payload.items() if key != "result"}


def test_result_of_an_unknown_phase_is_left_out() -> None:
    """Nobody has said that the result of a phase that is not declared may be kept."""
    data = writer.encode(Action(types.PHASE_COMPLETE, {"name": "x", "result": "secret", "at": 1.0}))
    assert b"secret" not in data
    assert kept_in(data) is None


class Number(float):
    pass


class Mute:
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        ({"error": ValueError("bad"), "saga_id": 3}, {"error": "bad", "saga_id": 3}),
        ({"name": "a", "at": Number(2.5), "attempt": 1}, {"name": "a", "at": 2.5, "attempt": 1}),
        ({"x": [1, {"y": Mute()}]}, {"x": [1, {"y": "<Mute>"}]}),
        (ValueError("bad"), "bad"),
        ({"x": "\x1b[2J"}, {"x": "\x1b[2J"}),
    ],
)
def test_what_the_codec_does_not_know(payload: Any, wanted: Any) -> None:
    """Values that cannot be kept become numbers or texts, so that no action is lost."""
    assert back(Action("x", payload)).payload == wanted


def test_not_a_number() -> None:
    """A time that is no number comes back as such."""
    at = back(Action(types.PHASE_CANCELLED, {"name": "a", "at": math.nan})).payload["at"]
    assert math.isnan(at)
