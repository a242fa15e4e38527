"""Killed at any point, a run loses nothing that was durable, and nothing has to be unlocked."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.journal.crashes import POINTS, story


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point(tmp_path: Path, point: str) -> None:
    """SIGKILL at a point inside the writer, then resumed until done."""
    kills: Counter[str] = Counter()
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        story(tmp_path / str(seed), random.Random(seed), point, kills)
    assert kills[point] >= 1


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """SIGKILL at any moment, then resumed until done."""
    kills: Counter[str] = Counter()
    for seed in range(15):
        (tmp_path / str(seed)).mkdir()
        story(tmp_path / str(seed), random.Random(seed), None, kills)
    assert kills.total() >= 5
