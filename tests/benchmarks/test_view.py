"""The benchmark of the detail view works on a small run; no time is asserted, a machine may be as slow as it likes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

VIEW = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "view.py"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    names: dict[str, Any] = VIEW["repaints"].__globals__
    for name, value in {"PHASES": 10, "LINES": 30, "REPAINTS": 3}.items():
        monkeypatch.setitem(names, name, value)
    return names


@pytest.mark.parametrize("keys", ["", "\r", "\rg"])
def test_every_repaint_is_measured(small: dict[str, Any], keys: str) -> None:
    times = small["repaints"](keys)
    assert len(times) == 3
    assert all(time >= 0 for time in times)


def test_a_share_of_a_processor_is_measured(small: dict[str, Any]) -> None:
    app = small["full_app"]()
    before = app.store.state
    assert small["processor_share"](lambda: small["dispatch_for"](app, 0.02)) >= 0
    assert app.store.state is not before
    app.store.shutdown()
