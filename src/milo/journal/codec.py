"""The codec of results, into bytes: a closed set of types, each kept exactly; `decoder` is the way back.

A value is a tag byte and what the tag says: a length and its content, or a count and that many values. Lengths are
little-endian base 128. A subclass is no member of its base: what cannot come back as it was is refused, with the
path to it.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from milo.journal.errors import CodecError, TooLargeError
from milo.journal.registry import shape_of
from milo.text import safe_line

__all__ = ["DOUBLE", "MAX_DEPTH", "MAX_SIZE", "MOMENT", "OFFSET", "encode"]

MAX_DEPTH: Final = 200
"""How deep containers may be nested."""
MAX_SIZE: Final = 900_000_000
"""Bytes that one value may take: a little less than a row of SQLite may."""

DOUBLE: Final = struct.Struct("<d")
MOMENT: Final = struct.Struct("<HBBBBBIB")
OFFSET: Final = struct.Struct("<q")
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_STEPS: Final = 12


class _RefusedError(Exception):
    """A value that cannot be kept; `steps` lead to it, the innermost first."""

    def __init__(self, what: str, hint: str = "", error: type[CodecError] = CodecError) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.error = error
        self.steps: list[str] = []


def _too_large(limit: int) -> _RefusedError:
    hint = "Keep large data in a file and return its path."
    return _RefusedError(f"takes more than {limit:,} bytes", hint, TooLargeError)


def encode(value: Any, *, serializer: str = "", name: str = "result", max_size: int = MAX_SIZE) -> bytes:
    """The value as bytes; equal values of the same types give the same bytes in every process.

    Args:
        value: What to keep.
        serializer: "pickle" to pickle what the codec does not know.
        name: What to call the value in an error.
        max_size: Bytes that it may take.

    Raises:
        CodecError: It cannot be kept; the message has the path to what is in the way.
    """
    out = bytearray()
    try:
        _put(value, out, 0, max_size)
        if len(out) > max_size:
            raise _too_large(max_size)
    except _RefusedError as refused:
        if serializer == "pickle" and refused.error is not TooLargeError:
            return _pickled(value, name, max_size)
        where = name + _path(refused.steps)
        raise refused.error(f"{where} cannot be kept: it {refused.what}.", hint=refused.hint) from None
    return bytes(out)


def _pickled(value: Any, name: str, max_size: int) -> bytes:
    try:
        data = pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - pickling runs code of whatever it meets
        raise CodecError(f"{name} cannot be kept: pickle says {safe_line(str(error))}") from None
    if len(data) > max_size:
        refused = _too_large(max_size)
        raise TooLargeError(f"{name} cannot be kept: it {refused.what}.", hint=refused.hint)
    return b"p" + _size(len(data)) + data


def _path(steps: list[str]) -> str:
    steps = steps[::-1]
    if len(steps) > _MAX_STEPS:
        steps = [*steps[: _MAX_STEPS // 2], "...", *steps[-_MAX_STEPS // 2 :]]
    return "".join(steps)


def _size(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _put(value: Any, out: bytearray, depth: int, limit: int) -> None:
    _PUT.get(type(value), _put_record)(value, out, depth, limit)


def _put_none(value: None, out: bytearray, depth: int, limit: int) -> None:
    out += b"N"


def _put_bool(value: bool, out: bytearray, depth: int, limit: int) -> None:
    out += b"T" if value else b"F"


def _put_int(value: int, out: bytearray, depth: int, limit: int) -> None:
    length = value.bit_length() // 8 + 1
    out += b"i" + _size(length) + value.to_bytes(length, "little", signed=True)


def _put_float(value: float, out: bytearray, depth: int, limit: int) -> None:
    out += b"f" + DOUBLE.pack(value)


def _put_data(tag: bytes, data: bytes, out: bytearray, limit: int) -> None:
    if len(data) + len(out) > limit:
        raise _too_large(limit)
    out += tag + _size(len(data))
    out += data


def _put_text(tag: bytes, text: str, out: bytearray, limit: int) -> None:
    # Lone surrogates are what file names that are no valid text turn into; they must come back as they were.
    _put_data(tag, text.encode("utf-8", "surrogatepass"), out, limit)


def _put_str(value: str, out: bytearray, depth: int, limit: int) -> None:
    _put_text(b"s", value, out, limit)


def _put_bytes(value: bytes, out: bytearray, depth: int, limit: int) -> None:
    _put_data(b"b", value, out, limit)


def _put_datetime(value: datetime, out: bytearray, depth: int, limit: int) -> None:
    when = (value.year, value.month, value.day, value.hour, value.minute, value.second)
    out += b"D" + MOMENT.pack(*when, value.microsecond, value.fold)
    zone = value.tzinfo
    if zone is None:
        out += b"N"
    elif type(zone) is timezone:
        offset, *named = zone.__getinitargs__()  # type: ignore[attr-defined]
        out += b"o" + OFFSET.pack(offset // _MICROSECOND)
        _put(named[0] if named else None, out, depth, limit)
    elif type(zone) is ZoneInfo and zone.key:
        _put_text(b"z", zone.key, out, limit)
    else:
        raise _RefusedError(
            f"has a time zone of the type {_kind(zone)}",
            "Use datetime.timezone or zoneinfo.ZoneInfo for time zones.",
        )


def _put_date(value: date, out: bytearray, depth: int, limit: int) -> None:
    out += b"a" + value.toordinal().to_bytes(4, "little")


def _put_path(value: Path, out: bytearray, depth: int, limit: int) -> None:
    _put_text(b"P", os.fspath(value), out, limit)


def _put_decimal(value: Decimal, out: bytearray, depth: int, limit: int) -> None:
    _put_text(b"d", str(value), out, limit)


def _put_uuid(value: UUID, out: bytearray, depth: int, limit: int) -> None:
    out += b"u" + value.bytes


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise _RefusedError(f"is nested more than {MAX_DEPTH} deep, or contains itself")


def _put_items(tag: bytes) -> Callable[[Any, bytearray, int, int], None]:
    def put(value: Any, out: bytearray, depth: int, limit: int) -> None:
        _check_depth(depth)
        items = list(value)  # another thread may be changing the value
        out += tag + _size(len(items))
        index = -1
        try:
            for item in items:
                index += 1
                put_item = _PUT.get(type(item), _put_record)
                put_item(item, out, depth + 1, limit)
            if len(out) > limit:
                raise _too_large(limit)
        except _RefusedError as refused:
            refused.steps.append(f"[{index}]")
            raise

    return put


def _put_set(tag: bytes) -> Callable[[Any, bytearray, int, int], None]:
    def put(value: Any, out: bytearray, depth: int, limit: int) -> None:
        _check_depth(depth)
        parts = []
        try:
            for item in list(value):
                part = bytearray()
                _put(item, part, depth + 1, limit)
                parts.append(bytes(part))
        except _RefusedError as refused:
            refused.steps.append("{...}")
            raise
        out += tag + _size(len(parts))
        # The order of a set differs from process to process.
        for each in sorted(parts):
            out += each

    return put


def _put_dict(value: dict[Any, Any], out: bytearray, depth: int, limit: int) -> None:
    _check_depth(depth)
    items = list(value.items())
    out += b"m" + _size(len(items))
    key: Any = None
    try:
        for key, item in items:
            _put(key, out, depth + 1, limit)
            _put(item, out, depth + 1, limit)
    except _RefusedError as refused:
        refused.steps.append(f"[{key!r}]" if type(key) in (str, int, bool, float, type(None)) else "[...]")
        raise


def _put_record(value: Any, out: bytearray, depth: int, limit: int) -> None:
    """A dataclass that was registered; everything else ends here."""
    shape = shape_of(type(value))
    if shape is None:
        raise _RefusedError(f"is of the type {_kind(value)}", _hint_for(value))
    _check_depth(depth)
    if stray := shape.stray(value):
        raise _RefusedError(
            f"has the attribute {stray!r} beside its fields", "Make it a field, or leave it out."
        )
    _put_text(b"c", shape.name, out, limit)
    out += _size(len(shape.fields))
    field = ""
    try:
        for field in shape.fields:
            _put_text(b"s", field, out, limit)
            if not hasattr(value, field):
                raise _RefusedError("has no value")
            _put(getattr(value, field), out, depth + 1, limit)
    except _RefusedError as refused:
        refused.steps.append(f".{field}")
        raise


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _hint_for(value: object) -> str:
    for known in (bool, int, float, str, bytes, list, tuple, set, dict, datetime, date, Decimal, UUID, Path):
        if isinstance(value, known):
            return f"It is more than {known.__name__}: convert it with {known.__name__}(...) before returning it."
    if hasattr(type(value), "__dataclass_fields__"):
        return f"Register the dataclass: milo.register({type(value).__qualname__})."
    return 'Return plain data, or run it from a program with run(serializer="pickle").'


_PUT: Final[dict[type, Callable[[Any, bytearray, int, int], None]]] = {
    type(None): _put_none,
    bool: _put_bool,
    int: _put_int,
    float: _put_float,
    str: _put_str,
    bytes: _put_bytes,
    list: _put_items(b"l"),
    tuple: _put_items(b"t"),
    set: _put_set(b"S"),
    frozenset: _put_set(b"Z"),
    dict: _put_dict,
    datetime: _put_datetime,
    date: _put_date,
    type(Path()): _put_path,
    Decimal: _put_decimal,
    UUID: _put_uuid,
}
