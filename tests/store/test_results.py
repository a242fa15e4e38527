"""ReducerResult and Quit are inert values."""

from __future__ import annotations

import pickle

import pytest

from milo.store import Quit, ReducerResult


@pytest.mark.parametrize("value", [ReducerResult(1, ("s",), ("c",)), Quit(1, 2, ("s",), ("c",))])
def test_they_compare_by_value_and_survive_pickling(value: object) -> None:
    """As every value does."""
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(pickle.loads(pickle.dumps(value))) == hash(value)


def test_lists_become_tuples_and_fields_are_fixed() -> None:
    """So that nobody changes them on the way."""
    result = ReducerResult({}, sagas=["a"], cmds=["b"])
    assert (result.sagas, result.cmds) == (("a",), ("b",))
    with pytest.raises(AttributeError):
        result.state = 1
    assert Quit(1) != ReducerResult(1)
    assert Quit(1).code == 0
