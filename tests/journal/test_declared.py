"""The declaration comes back from its records, whatever its size."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Phase, Pipeline
from milo.journal.declared import About, declare, head_records, phase_rows, read_head, read_phases
from milo.journal.errors import CodecError, DamagedError
from tests.journal.world import nothing


def back(about: About, phases: Any) -> tuple[About, Any]:
    head, *parts = head_records(about, phases)
    return read_head(head), read_phases([row for part in parts for row in phase_rows(part)])


ABOUT = About(
    "p",
    target="/x/pipeline.py:pipeline",
    parameters={"n": "1"},
    only=("a",),
    options={"jobs": 4},
    cwd="/x",
    pid=3,
    host="h",
    milo="1",
    time=2.5,
    resumed=True,
)


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
def test_round_trip(count: int) -> None:
    """Phases come back in order with all that is recorded of them, over as many records as it takes."""
    phases = [
        Phase(
            f"p{number}",
            nothing,
            depends_on=(f"p{number + 1}",) if number % 2 == 0 and number + 1 < count else (),
            weight=number % 3 or 0.5,
            max_logs=number,
            parallel=number % 2 == 0,
            persist=number % 5 != 0,
            version=str(number % 4),
            description="é" if number % 7 == 0 else "",
        )
        for number in range(count)
    ]
    declared = declare(Pipeline("p", *phases))
    about, found = back(ABOUT, declared)
    assert found == declared
    assert about == About(
        **{**{name: getattr(ABOUT, name) for name in About.__dataclass_fields__}, "phases": count}
    )


def test_options_that_cannot_be_kept() -> None:
    """An option that the codec does not know is an error with its path."""
    with pytest.raises(CodecError, match=r"options\['options'\]\['x'\] cannot be kept"):
        list(head_records(About("p", options={"x": object()}), []))


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    """Records that milo never wrote are damage."""
    for read in (read_head, lambda each: read_phases(phase_rows(each))):
        try:
            read(b"\x01" + data)
        except DamagedError:
            continue


@pytest.mark.parametrize("rows", [b'[[],[[0,"a"]]]', b'[[[["",1]]],[[0,"a",3]]]', b"{}", b"[" * 100_000])
def test_damaged_declaration(rows: bytes) -> None:
    """Rows that do not fit together are damage."""
    with pytest.raises(DamagedError):
        read_phases(phase_rows(b"\x02" + rows))


def test_a_newer_head_says_more() -> None:
    """Fields that this milo does not know are passed over."""
    from milo.journal.codec import encode

    assert read_head(b"\x01" + encode({"pipeline": "p", "moon": "full"})).pipeline == "p"
