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


def test_lines_that_are_addressed_are_written_anew(screen: Callable[[str], list[str]]) -> None:
    """The detail view clears the screen and writes each line to its place."""
    written = "before\x1b[2J\x1b[H\x1b[1;1Htitle\x1b[K\x1b[3;1Hold\x1b[K\x1b[3;1Hkeys\x1b[K"
    assert screen(written) == ["title", "", "keys"]


def test_what_is_below_the_rows_is_erased_and_the_last_row_stays(screen: Callable[[str], list[str]]) -> None:
    """The live rows write lines that stay above themselves, and erase what was below."""
    assert screen("\r\x1b[2Kone\r\n\x1b[2Ktwo\x1b[J\r\x1b[1A\x1b[Jdone\r\n\x1b[2Kone\x1b[J") == [
        "done",
        "one",
    ]
