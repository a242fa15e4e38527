"""Registered dataclasses come back exactly, without any of their code being run."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from functools import cached_property
from typing import Any, ClassVar

import pytest

from milo.journal.codec import encode
from milo.journal.decoder import decode
from milo.journal.errors import CodecError
from milo.journal.registry import register

calls: list[str] = []


@register
@dataclass
class Page:
    title: str
    links: list[str] = field(default_factory=list)
    size: int = field(default=0, init=False)
    count: ClassVar[int] = 0

    def __post_init__(self) -> None:
        calls.append(self.title)

    @cached_property
    def upper(self) -> str:
        return self.title.upper()


@register
@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0


@dataclass
class Child(Page):
    pass


def test_round_trip() -> None:
    """Fields come back, those that are no argument included, and __post_init__ is not run again."""
    page = Page("a", ["b"])
    page.size = 7
    calls.clear()
    found = decode(encode({"page": page, "points": {Point(1.0), Point(2.0, 3.0)}}))
    assert found == {"page": page, "points": {Point(1.0), Point(2.0, 3.0)}}
    assert found["page"].size == 7
    assert calls == []


def test_cached_property_is_worked_out_again() -> None:
    """What a cached property left behind is no reason to refuse, and is not kept."""
    page = Page("a")
    assert page.upper == "A"
    found = decode(encode(page))
    assert "upper" not in vars(found)
    assert found.upper == "A"


def test_attribute_beside_the_fields() -> None:
    """An attribute that is no field would be lost, so it is refused."""
    page: Any = Page("a")
    page.extra = 1
    with pytest.raises(CodecError, match="attribute 'extra' beside its fields"):
        encode(page)


def test_field_without_a_value() -> None:
    """A field that was deleted is refused with its path."""
    page = Page("a")
    del page.links
    with pytest.raises(CodecError, match=r"result\.links cannot be kept"):
        encode(page)


def test_field_that_cannot_be_kept() -> None:
    """The path leads into the dataclass."""
    with pytest.raises(CodecError, match=r"result\[0\]\.title cannot be kept"):
        encode([Page(object())])  # type: ignore[arg-type]


def test_subclass_is_not_meant() -> None:
    """A subclass of a registered dataclass has to be registered itself."""
    with pytest.raises(CodecError, match=r"milo\.register\(Child\)"):
        encode(Child("a"))


@pytest.mark.parametrize("what", [int, Page("a"), type("Plain", (), {}), type("Heir", (Page,), {})])
def test_refuses_what_is_no_dataclass(what: Any) -> None:
    """Only a class that is a dataclass itself can be registered."""
    with pytest.raises(CodecError, match="Only a dataclass"):
        register(what)


def test_fields_have_changed() -> None:
    """A class with other fields than it had does not take the old values."""
    old = register(make_dataclass("Row", ["a", "b"]), name="row")
    data = encode(old(1, 2))
    register(make_dataclass("Row", ["a", "c"]), name="row")
    with pytest.raises(CodecError, match=r"fields a, b, and has a, c today"):
        decode(data)


def test_name_is_taken() -> None:
    """Two classes cannot have one name, unless the second is the first one loaded again."""
    register(Point, name="point")
    with pytest.raises(CodecError, match="is the name of"):
        register(Page, name="point")
    again = type(Point)("Point", (), {"__module__": __name__, "__annotations__": {"x": float}})
    assert register(dataclass(again), name="point") is not Point
    register(Point)
