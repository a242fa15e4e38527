"""Vector against a list, also far beyond one level; every earlier version stays as it was."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milo.pipeline.vector import Vector


@settings(max_examples=60)
@given(st.integers(1, 3000), st.lists(st.tuples(st.integers(0, 10**6), st.integers()), max_size=30))
def test_a_vector_is_a_list_whose_old_versions_never_change(
    size: int, changes: list[tuple[int, int]]
) -> None:
    model: list[Any] = list(range(size))
    vector = Vector(model)
    history = [(vector, list(model))]
    for place, value in changes:
        index = place % size
        vector = vector.set(index, value)
        model[index] = value
        history.append((vector, list(model)))
    for version, expected in history:
        assert list(version) == expected
        assert len(version) == size
    assert [vector[index] for index in range(0, size, 7)] == model[::7]


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 1023, 1024, 1025, 32_768, 32_769])
def test_every_size_around_a_full_level(size: int) -> None:
    vector = Vector(range(size))
    assert (list(vector), len(vector)) == (list(range(size)), size)
    if size:
        changed = vector.set(size - 1, "last").set(0, "first")
        assert changed[0] == "first"
        assert changed[size - 1] == ("last" if size > 1 else "first")
        assert vector[size - 1] == size - 1


def test_an_update_shares_what_it_does_not_touch() -> None:
    vector = Vector([object() for _ in range(2000)])
    changed = vector.set(1999, None)
    assert changed._root[0] is vector._root[0]
    assert changed._root[1] is not vector._root[1]


def test_the_given_sequence_may_change_afterwards() -> None:
    values = [1, 2, 3]
    vector = Vector(values)
    values[0] = 9
    assert list(vector) == [1, 2, 3]
