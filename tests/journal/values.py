"""Hypothesis strategies for values that the codec keeps, and a comparison that tells types apart."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

TEXT = st.text(st.characters(codec=None), max_size=20)
ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from([ZoneInfo("Europe/Zurich"), ZoneInfo("America/New_York"), ZoneInfo("UTC")]),
    st.builds(
        timezone,
        st.timedeltas(timedelta(hours=-23), timedelta(hours=23)),
        st.text("abc", min_size=1, max_size=4),
    ),
)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**2000), 2**2000),
    st.floats(),
    TEXT,
    st.binary(max_size=20),
    st.builds(
        lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        ZONES,
        st.integers(0, 1),
    ),
    st.dates(),
    st.builds(Path, st.text("abc/. \udc80é", max_size=12)),
    st.decimals(),
    st.just(Decimal("sNaN7")),
    st.uuids(),
)
HASHABLE = st.recursive(
    # A signalling NaN has no hash.
    ATOMS.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same to the last bit, types and order included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, set | frozenset):
        rest = list(right)
        for each in left:
            found = next((index for index, other in enumerate(rest) if same(each, other)), None)
            if found is None:
                return False
            del rest[found]
        return not rest
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, datetime):
        zones = (left.tzinfo, right.tzinfo)
        return (
            left.replace(tzinfo=None) == right.replace(tzinfo=None)
            and left.fold == right.fold
            and repr(zones[0]) == repr(zones[1])
        )
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    return (
        bool(left == right)
        or (isinstance(left, date) and left == right)
        or (left != left and math.isnan(left))
    )
