"""The chain notices every change, and begins differently for every run."""

from __future__ import annotations

import pytest

from milo.journal.chain import HASH_SIZE, link, seed


def test_depends_on_row_and_predecessor() -> None:
    """Another row or another predecessor gives another hash."""
    first = link(b"", b"row")
    assert len(first) == HASH_SIZE
    assert len({first, link(b"", b"roW"), link(first, b"row"), link(b"x" * HASH_SIZE, b"row")}) == 4


@pytest.mark.parametrize(
    "other", [("b", "p", "t", 1.0), ("r", "b", "t", 1.0), ("r", "p", "b", 1.0), ("r", "p", "t", 2.0)]
)
def test_seed_covers_the_run(other: tuple[str, str, str, float]) -> None:
    """Name, pipeline, target and start are all part of what a run's chain begins with."""
    assert seed("r", "p", "t", 1.0) != seed(*other)
    assert seed("r", "pt", "", 1.0) != seed("r", "p", "t", 1.0)
