"""Value: the base of milo's small records."""

from __future__ import annotations

import pickle

import pytest

from milo.value import Value, assign, setters


class Point(Value):
    __slots__ = ("x", "y")
    __match_args__ = ("y", "x")
    x: int
    y: int

    def __init__(self, y: int, x: int = 0) -> None:
        assign(self, _POINT, (y, x))


_POINT = setters(Point)


class Other(Point):
    __slots__ = ()


def test_values_are_equal_when_their_kind_and_fields_are() -> None:
    """Also in their hash; another kind with the same fields differs."""
    assert Point(1, 2) == Point(1, 2)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert Point(1, 2) != Point(2, 1)
    assert Point(1, 2) != Other(1, 2)
    assert Point(1, 2) != (1, 2)


def test_fields_stand_in_the_order_of_the_arguments() -> None:
    """In the text, in patterns and in a copy."""
    assert repr(Point(1, 2)) == "Point(y=1, x=2)"
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)
    match Point(1, 2):
        case Point(y, x):
            assert (y, x) == (1, 2)


def test_fields_cannot_be_written_or_deleted() -> None:
    """The refusal names the field and the way out."""
    with pytest.raises(AttributeError, match=r"Point is immutable.*'x'"):
        Point(1).x = 5
    with pytest.raises(AttributeError, match=r"Point is immutable.*'y'"):
        del Point(1).y
