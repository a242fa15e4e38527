"""Action: what happened, as a value."""

from __future__ import annotations

import pickle

import pytest

from milo import Action


def test_an_action_is_an_immutable_value() -> None:
    """Type and payload, compared by value."""
    action = Action("x", {"a": 1})
    assert action == Action("x", {"a": 1})
    assert action != Action("x", {"a": 2})
    assert action != Action("y", {"a": 1})
    assert Action("x").payload is None
    assert pickle.loads(pickle.dumps(action)) == action
    assert repr(Action("x", 1)) == "Action(type='x', payload=1)"
    assert {Action("x", 1), Action("x", 1)} == {Action("x", 1)}
    with pytest.raises(AttributeError):
        action.type = "y"
