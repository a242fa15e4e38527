"""The terminal that the README's picture is drawn from."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

PICTURE = Path(__file__).resolve().parents[2] / "tools" / "picture.py"


@pytest.fixture
def screen() -> Callable[[str], list[str]]:
    pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    spec = importlib.util.spec_from_file_location("picture", PICTURE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], list[str]] = module.screen
    return found


def test_redrawn_rows_replace_the_ones_before(screen: Callable[[str], list[str]]) -> None:
    """Rows that the live view erases and draws again are on the screen once, as drawn last."""
    written = "done one\r\n  10 %\r\n  row\r\x1b[2K\x1b[1A\x1b[2Kdone two\r\n  20 %"
    assert screen(written) == ["done one", "done two", "  20 %"]


def test_colours_stay_and_other_controls_go(screen: Callable[[str], list[str]]) -> None:
    """A hidden cursor leaves no trace; a colour is kept."""
    assert screen("\x1b[?25l\x1b[32mdone\x1b[0m") == ["\x1b[32mdone\x1b[0m"]
