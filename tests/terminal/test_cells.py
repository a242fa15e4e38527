"""Text measured in the cells of a screen: wide characters, emoji, colour, and what has no end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.terminal.cells import break_lines, clip, fit, pad, truncate, width

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
PIECES = ["a", "漢", FAMILY, "e\u0301", "\x1b[31m", "\x1b[0m", " ", "\t", "\x1b[2J", "\x9b", "\n"]
texts = st.lists(st.sampled_from(PIECES)).map("".join)
ENDLESS = {
    "plain": "x" * 10_000_000,
    "wide": "漢" * 3_000_000,
    "colour": "\x1b[31m" * 2_000_000,
    "accents": "\u0301" * 3_000_000,
    "lines": "a\n" * 1_000_000,
}


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("漢字", 4),
        (FAMILY, 2),
        ("e\u0301", 1),
        ("\x1b[31mabc\x1b[0m", 3),
        ("", 0),
        (12, 2),
        ("\x1b[2J", 0),
    ],
)
def test_a_line_takes_the_cells_that_a_terminal_gives_it(text: object, cells: int) -> None:
    assert width(text) == cells


def test_a_part_of_a_line_keeps_its_colour_and_closes_it() -> None:
    assert clip("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m"
    assert clip("\x1b[31mabcdef\x1b[0m", 2, start=2) == "\x1b[31mcd\x1b[0m"


def test_half_of_a_wide_character_is_a_space() -> None:
    assert clip("a漢b", 2) == "a "
    assert clip("漢字", 3, start=1) == " 字"


def test_a_tab_goes_to_the_next_eighth_cell() -> None:
    assert clip("a\tb", 20) == "a       b"
    assert truncate("a\tb", 20) == "a       b"


def test_what_is_cut_off_is_said() -> None:
    assert truncate("abcdef", 4) == "abc…"
    assert truncate("abcd", 4) == "abcd"
    assert truncate("漢字漢字", 6) == "漢字…"
    assert truncate("abcdef", 4, end="...") == "a..."
    assert truncate("abcdef", 2, end="...") == "ab"
    assert truncate("abcdef", 0) == ""


def test_a_line_is_filled_on_either_side() -> None:
    assert pad("漢", 4) == "漢  "
    assert pad("漢", 4, "right") == "  漢"
    assert pad("漢", 5, "center") == " 漢  "
    assert pad("abc", 5, fill=".") == "abc.."
    assert pad("abcdef", 3) == "abcdef"
    assert pad("\x1b[31ma\x1b[0m", 3) == "\x1b[31ma\x1b[0m  "


def test_a_line_is_made_to_fit() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abcdef", 5) == "abcd…"
    assert fit("漢字漢字", 6, "right") == " 漢字…"


def test_a_text_is_broken_where_the_screen_ends() -> None:
    assert break_lines("abc def\n\nxyz", 4) == ["abc ", "def", "", "xyz"]
    assert break_lines("", 4) == [""]
    assert break_lines("abc漢字d", 4) == ["abc", "漢字", "d"]
    assert break_lines("\x1b[31mabcdef\x1b[0m", 4) == ["\x1b[31mabcd\x1b[0m", "\x1b[31mef\x1b[0m"]


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_cut_before_it_is_measured(text: str) -> None:
    assert width(fit(text, 80)) == 80
    assert len(break_lines(text, 80)) <= 200


@given(texts, st.integers(1, 12))
def test_no_text_whatever_gets_more_cells_than_it_was_given(text: str, columns: int) -> None:
    assert width(clip(text, columns)) <= columns
    assert width(truncate(text, columns)) <= columns
    assert width(fit(text, columns)) == columns
    assert all(width(line) <= columns for line in break_lines(text, columns))
    for made in (clip(text, columns), fit(text, columns), *break_lines(text, columns)):
        assert "\x1b" not in made.replace("\x1b[31m", "").replace("\x1b[0m", "")
        assert "\x9b" not in made


@given(st.text(st.sampled_from("abc漢字 ")), st.integers(2, 9))
def test_breaking_a_line_loses_no_character(text: str, columns: int) -> None:
    assert "".join(break_lines(text, columns)) == text
