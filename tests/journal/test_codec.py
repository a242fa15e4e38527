"""What the codec keeps it keeps exactly, and what it cannot keep it names."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from milo.journal.codec import MAX_DEPTH, encode
from milo.journal.decoder import decode
from milo.journal.errors import CodecError, TooLargeError
from milo.journal.registry import register
from tests.journal.values import VALUES, same


@given(VALUES)
def test_round_trip(value: Any) -> None:
    """Every value of the closed set comes back as it was: type, bits, order of a dict."""
    assert same(decode(encode(value)), value)


@given(VALUES)
def test_equal_bytes(value: Any) -> None:
    """What came back gives the same bytes again."""
    assert encode(decode(encode(value))) == encode(value)


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Moment(datetime):
    pass


class Zone(tzinfo):
    pass


Pair = namedtuple("Pair", "a b")


@dataclass
class Unregistered:
    a: int = 1


@pytest.mark.parametrize(
    "value",
    [
        object(),
        3 + 4j,
        time(3),
        bytearray(b"x"),
        Level.LOW,
        Text("a"),
        Moment(2026, 1, 1),
        Pair(1, 2),
        OrderedDict(a=1),
        PurePosixPath("a"),
        range(3),
        Unregistered(),
        len,
        ValueError("x"),
        datetime(2026, 1, 1, tzinfo=Zone()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refuses_all_else(value: Any) -> None:
    """A subclass is no member of its base, and nothing outside the set is kept."""
    with pytest.raises(CodecError, match="result cannot be kept"):
        encode(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"pages": [1, {"x": 3j}]}, "result['pages'][1]['x'] cannot"),
        ([1, (2, {3: 3j})], "result[1][1][3] cannot"),
        ({3j: 1}, "result[...] cannot"),
        ([{1, (2, 3j)}], "result[0]{...}[1] cannot"),
    ],
)
def test_names_the_path(value: Any, path: str) -> None:
    """The error says where in the value it lies."""
    with pytest.raises(CodecError) as caught:
        encode(value)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Level.LOW, "convert it with int(...)"),
        (Pair(1, 2), "convert it with tuple(...)"),
        (Unregistered(), "milo.register(Unregistered)"),
        (object(), 'serializer="pickle"'),
        (datetime(2026, 1, 1, tzinfo=Zone()), "zoneinfo.ZoneInfo"),
    ],
)
def test_says_what_to_do(value: Any, hint: str) -> None:
    """The error has the next step."""
    with pytest.raises(CodecError) as caught:
        encode(value)
    assert hint in caught.value.hint


def test_refuses_what_contains_itself() -> None:
    """A value that contains itself ends in an error, not in a crash."""
    loop: list[Any] = []
    loop.append({"again": loop})
    with pytest.raises(CodecError, match="contains itself"):
        encode(loop)


def test_keeps_up_to_its_depth() -> None:
    """As deep as is allowed is kept, one more is refused."""

    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return value

    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(CodecError, match="more than 200 deep"):
        encode(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("value", ["x" * 200, b"x" * 200, [1.5] * 200, {str(i): i for i in range(200)}])
def test_refuses_what_is_too_large(value: Any) -> None:
    """A value that takes more room than it may is refused as such."""
    with pytest.raises(TooLargeError, match="more than 100 bytes"):
        encode(value, max_size=100)


def test_shared_parts_do_not_explode() -> None:
    """A value whose parts are shared over and over is refused for its size, before memory runs out."""
    value: Any = "x" * 1000
    for _ in range(60):
        value = [value, value]
    with pytest.raises(TooLargeError):
        encode(value, max_size=100_000)


def test_survives_a_value_that_changes_meanwhile() -> None:
    """A list that is changed while it is encoded is kept as it was at first."""
    values: list[Any] = []

    @dataclass
    class Meddler:
        a: int = 1

        def __getattribute__(self, name: str) -> Any:
            if name == "a":
                values.append("late")
            return super().__getattribute__(name)

    register(Meddler, name="tests.Meddler")
    values += [Meddler(), 2]
    found = decode(encode(values))
    assert len(found) == 2
    assert found[1] == 2


def test_same_bytes_under_every_hash_seed() -> None:
    """The order of a set in memory does not show."""
    program = (
        "from milo.journal.codec import encode;"
        "print(encode({'a', 'b', 'c', ('d', 1), None, frozenset({'x', 'y', 'z'})}).hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(found) == 1


def test_pickle_on_request() -> None:
    """With serializer="pickle" what the codec refuses is pickled, and only then."""
    data = encode(complex(1, 2), serializer="pickle")
    assert decode(data, serializer="pickle") == 1 + 2j
    with pytest.raises(CodecError, match="pickled"):
        decode(data)
    assert encode([1], serializer="pickle") == encode([1])


def test_pickle_that_fails() -> None:
    """What pickle cannot do either is an error of the codec."""
    with pytest.raises(CodecError, match="pickle says"):
        encode(lambda: 1, serializer="pickle")


def test_zone_that_is_not_here() -> None:
    """A zone that this machine does not know is an error of the codec."""
    data = encode(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich"))).replace(
        b"Europe/Zurich", b"Europe/Nowhere"[:13]
    )
    with pytest.raises(CodecError, match="cannot be understood"):
        decode(data)


def test_numbers_that_are_equal_stay_apart() -> None:
    """1, 1.0, True and their texts are kept apart, also inside a tuple."""
    values = [1, 1.0, True, Decimal(1), "1", b"1", Path("1"), (1,), (True,), [1]]
    assert len({encode(value) for value in values}) == len(values)
