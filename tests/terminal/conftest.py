"""Terminals for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .tmux import Tmux


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    """Make a terminal of some size; it is closed with the test whatever happens."""
    made: list[Tmux] = []

    def make(columns: int = 80, rows: int = 24) -> Tmux:
        made.append(Tmux(tmp_path, columns, rows))
        return made[-1]

    yield make
    for each in made:
        each.close()
