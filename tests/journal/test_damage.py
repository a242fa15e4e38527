"""Whatever was done to a journal's files: the longest prefix that can be trusted, or a refusal in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journal.damage import CASES, harm, make

STEPS = {"cut": 499, "flipped": 2503}
"""Primes, so that all kinds of places are met; `python -m tests.journal.damage` leaves out none."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("damage")
    make(folder)
    return folder


@pytest.mark.parametrize(
    ("condition", "file", "ways"), CASES, ids=lambda value: getattr(value, "__name__", value)
)
def test_damaged_files(
    original: Path, condition: str, file: str, ways: Callable[[bytes, int], Iterator[bytes]]
) -> None:
    """Cut off or with a wrong bit, a journal is read as far as it can be trusted, and is of use again afterwards."""
    outcomes = harm(original / condition, file, ways, STEPS[ways.__name__])
    assert outcomes.total() > 50
    assert outcomes["written to"] + outcomes["recovered"] > 0.9 * (outcomes.total() / 2)
