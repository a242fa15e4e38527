"""The codec of results, back from bytes: whatever they are, it gives a value or a CodecError and executes nothing."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from milo.journal.codec import DOUBLE, MAX_DEPTH, MOMENT, OFFSET
from milo.journal.errors import CodecError
from milo.journal.registry import shape_named
from milo.text import safe_line

__all__ = ["decode"]

_MAX_SIZE_BITS: Final = 63


def decode(data: bytes, *, serializer: str = "") -> Any:
    """The value that `encode` made these bytes of.

    Args:
        data: The bytes.
        serializer: "pickle" to accept what was pickled. Unpickling runs whatever the bytes say.

    Raises:
        CodecError: They are not what `encode` makes, or hold a dataclass that is not registered here.
    """
    try:
        if data[:1] == b"p":
            return _unpickled(data, serializer)
        value, end = _get(data, 0, 0)
    except CodecError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a damaged byte leads to is damage
        raise CodecError(f"What was kept cannot be understood: {_words(error)}.") from None
    if end != len(data):
        raise CodecError(f"What was kept cannot be understood: {len(data) - end} bytes follow its end.")
    return value


def _words(error: Exception) -> str:
    return safe_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _unpickled(data: bytes, serializer: str) -> Any:
    if serializer != "pickle":
        raise CodecError(
            "What was kept is pickled, and unpickling can run any code.",
            hint='Trust the journal and pass serializer="pickle" to read it.',
        )
    length, at = _size(data, 1)
    if at + length != len(data):
        raise CodecError("What was kept cannot be understood: its pickle has another length.")
    try:
        return pickle.loads(data[at:])
    except Exception as error:  # noqa: BLE001 - unpickling runs code of whatever it meets
        raise CodecError(f"What was kept cannot be unpickled: {_words(error)}.") from None


# Each of the following takes the bytes, where to read and how deep, and answers the value and where it ends.
_Getter = Callable[[bytes, int, int], tuple[Any, int]]


def _get(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return _GET[data[at]](data, at + 1, depth)


def _size(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number = shift = 0
    while byte >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > _MAX_SIZE_BITS:
            raise CodecError("What was kept cannot be understood: a length is too long.")
        at += 1
        byte = data[at]
    return number | byte << shift, at + 1


def _data(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _size(data, at)
    end = at + length
    if end > len(data):
        raise CodecError("What was kept cannot be understood: it ends too early.")
    return data[at:end], end


def _text(data: bytes, at: int) -> tuple[str, int]:
    text, at = _data(data, at)
    return text.decode("utf-8", "surrogatepass"), at


def _fixed(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(data):
        raise CodecError("What was kept cannot be understood: it ends too early.")
    return data[at : at + length], at + length


def _constant(value: Any) -> _Getter:
    return lambda data, at, depth: (value, at)


def _get_int(data: bytes, at: int, depth: int) -> tuple[int, int]:
    number, at = _data(data, at)
    return int.from_bytes(number, "little", signed=True), at


def _get_float(data: bytes, at: int, depth: int) -> tuple[float, int]:
    number: float = DOUBLE.unpack_from(data, at)[0]
    return number, at + DOUBLE.size


def _get_datetime(data: bytes, at: int, depth: int) -> tuple[datetime, int]:
    *when, fold = MOMENT.unpack_from(data, at)
    at += MOMENT.size
    tag = data[at : at + 1]
    zone: timezone | ZoneInfo | None = None
    if tag == b"o":
        offset = timedelta(microseconds=OFFSET.unpack_from(data, at + 1)[0])
        name, at = _get(data, at + 1 + OFFSET.size, depth + 1)
        zone = timezone(offset) if name is None else timezone(offset, name)
    elif tag == b"z":
        key, at = _text(data, at + 1)
        zone = ZoneInfo(key)
    elif tag == b"N":
        at += 1
    else:
        raise CodecError("What was kept cannot be understood: there is no such time zone.")
    return datetime(*when).replace(tzinfo=zone, fold=fold), at


def _get_date(data: bytes, at: int, depth: int) -> tuple[date, int]:
    number, at = _fixed(data, at, 4)
    return date.fromordinal(int.from_bytes(number, "little")), at


def _get_uuid(data: bytes, at: int, depth: int) -> tuple[UUID, int]:
    number, at = _fixed(data, at, 16)
    return UUID(bytes=number), at


def _made_of_text(make: Callable[[str], Any]) -> _Getter:
    def get(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        text, at = _text(data, at)
        return make(text), at

    return get


def _count(data: bytes, at: int, depth: int) -> tuple[int, int]:
    count, at = _size(data, at)
    # Each takes a byte at least, so that a few bytes cannot ask for all memory.
    if depth >= MAX_DEPTH or count > len(data) - at:
        raise CodecError("What was kept cannot be understood: it is too deep or ends too early.")
    return count, at


def _items(make: Callable[[list[Any]], Any]) -> _Getter:
    def get(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        count, at = _count(data, at, depth)
        items = []
        for _ in range(count):
            item, at = _get(data, at, depth + 1)
            items.append(item)
        return make(items), at

    return get


def _get_dict(data: bytes, at: int, depth: int) -> tuple[dict[Any, Any], int]:
    count, at = _count(data, at, depth)
    items = {}
    for _ in range(count):
        key, at = _get(data, at, depth + 1)
        items[key], at = _get(data, at, depth + 1)
    return items, at


def _get_record(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    name, at = _text(data, at)
    values, at = _get_dict(data, at, depth)
    shape = shape_named(name)
    if shape is None:
        raise CodecError(
            f"What was kept holds {safe_line(name)!r}, which is not registered here.",
            hint="Register the dataclass: milo.register(...), under the name it had.",
        )
    return shape.build(values), at


_GET: Final[dict[int, _Getter]] = {
    ord(tag): getter
    for tag, getter in {
        "N": _constant(None),
        "T": _constant(True),
        "F": _constant(False),
        "i": _get_int,
        "f": _get_float,
        "s": lambda data, at, depth: _text(data, at),
        "b": lambda data, at, depth: _data(data, at),
        "l": _items(lambda items: items),
        "t": _items(tuple),
        "S": _items(set),
        "Z": _items(frozenset),
        "m": _get_dict,
        "D": _get_datetime,
        "a": _get_date,
        "P": _made_of_text(Path),
        "d": _made_of_text(Decimal),
        "u": _get_uuid,
        "c": _get_record,
    }.items()
}
