"""A fresh world for each test of a saga."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Sagas in virtual time on a store that is shut down afterwards."""
    world = World()
    yield world
    world.store.shutdown()
