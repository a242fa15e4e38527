"""What the tests of the server for agents share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milo.pipeline import set_active_pipeline
from milo.views.mcp import own_run


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    """Both eras of the protocol."""
    return str(request.param)


@pytest.fixture(autouse=True)
def nothing_published() -> Iterator[None]:
    """Each test begins and ends with no published run."""
    set_active_pipeline(None)
    yield
    set_active_pipeline(None)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the journal more often than ten times a second, for tests have more to do."""
    monkeypatch.setattr(own_run, "_PERIOD_S", 0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"
