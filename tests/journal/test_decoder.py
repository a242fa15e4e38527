"""Whatever bytes the decoder is given, it gives a value or a CodecError, and runs nothing."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milo.journal.codec import encode
from milo.journal.decoder import decode
from milo.journal.errors import CodecError
from tests.journal.values import VALUES


def decoded(data: bytes) -> Any:
    """The value, or None where there is a CodecError; anything else fails the test."""
    try:
        return decode(data)
    except CodecError:
        return None


@given(st.binary(max_size=200))
@example(b"")
@example(b"z")
@example(b"l\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"s\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"S\x01l\x00")
@example(b"m\x01l\x00N")
@example(b"d\x03abc")
@example(b"D" + bytes(13))
@example(b"a\xff\xff\xff\xff")
@example(b"u\x01")
@example(b"s\x02\xff\xff")
def test_any_bytes(data: bytes) -> None:
    """Arbitrary bytes never raise anything else."""
    decoded(data)


@given(VALUES, st.data())
def test_any_flipped_byte(value: Any, data: st.DataObject) -> None:
    """A changed byte of something real never raises anything else."""
    kept = bytearray(encode(value))
    at = data.draw(st.integers(0, len(kept) - 1))
    kept[at] ^= data.draw(st.integers(1, 255))
    decoded(bytes(kept))


@given(VALUES)
def test_any_truncation(value: Any) -> None:
    """A value that ends too early, or too late, is refused."""
    kept = encode(value)
    for end in range(len(kept)):
        with pytest.raises(CodecError):
            decode(kept[:end])
    with pytest.raises(CodecError, match="follow its end"):
        decode(kept + b"N")


@pytest.mark.parametrize("tag", [b"l", b"t", b"S", b"Z", b"m"])
def test_depth(tag: bytes) -> None:
    """Bytes that nest without end are refused before the stack is used up."""
    with pytest.raises(CodecError):
        decode((tag + b"\x01") * 100_000 + b"N")


@settings(max_examples=20)
@given(st.sampled_from([b"l", b"t", b"s", b"b", b"m", b"i"]), st.integers(20, 62))
def test_claims_no_memory(tag: bytes, bits: int) -> None:
    """A few bytes that claim a huge length are refused at once."""
    size = bytearray()
    number = 1 << bits
    while number >= 0x80:
        size.append(number & 0x7F | 0x80)
        number >>= 7
    size.append(number)
    with pytest.raises(CodecError):
        decode(tag + bytes(size))


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> Any:
        return explode, ()


exploded: list[str] = []


def explode() -> None:
    exploded.append("it ran")


def test_runs_no_pickle() -> None:
    """A pickle is not loaded unless the reader asked for pickle, at the top or inside."""
    pickled = pickle.dumps(Bomb())
    data = b"p" + bytes((len(pickled),)) + pickled
    for hostile in (data, b"l\x01" + data, pickled):
        with pytest.raises(CodecError):
            decode(hostile)
    assert not exploded
    decode(data, serializer="pickle")
    assert exploded, "the pickle would not have done anything"


@pytest.mark.parametrize("seed", range(5))
def test_broken_pickle(seed: int) -> None:
    """A pickle that is cut or changed is an error of the codec too."""
    pickled = bytearray(pickle.dumps({"a": [1, 2.5, "x"]}))
    pickled[random.Random(seed).randrange(2, len(pickled) - 1)] ^= 0x81
    kept = b"p" + bytes((len(pickled),)) + bytes(pickled)
    for data in (kept, kept[:-3]):
        try:
            decode(data, serializer="pickle")
        except CodecError:
            continue
        assert data is kept


def test_unregistered_dataclass() -> None:
    """A dataclass that nobody registered here is refused by name."""
    with pytest.raises(CodecError, match=r"'a\.B', which is not registered"):
        decode(b"c\x03a.B\x00")
