"""Text from outside: only colour passes, no plain character is lost, and hostile text takes linear time."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.text import safe_line, safe_text, strip_sgr

HOSTILE_PIECES = [
    "\x1b",
    "\x1b[",
    "\x1b]",
    "\x1b\\",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[1;38;5;0m",
    "\x1b[?25l",
    "\x1b[31",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1b]52;c;aGk=\x9c",
    "\x1bP1$r\x1b\\",
    "\x1b_app\x1b\\",
    "\x9b2J",
    "\x9d",
    "\r",
    "\n",
    "\t",
    "\x00",
    "\x08",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufdd0",
    "\ufffe",
    "\ud800",
    "\udcff",
    "\U000e0041",
    "\U0001f469\u200d\U0001f4bb",
    "[31m",
    "m",
    "word",
    "ä",
    "日本",
]
hostile_text = st.one_of(st.text(), st.lists(st.sampled_from(HOSTILE_PIECES), max_size=12).map("".join))

# Written apart from the module on purpose: by Unicode category and not by range.
KEPT_FORMAT = {
    "\u200c",
    "\u200d",
    *map(chr, range(0x600, 0x606)),
    "\u06dd",
    "\u070f",
    "\u0890",
    "\u0891",
    "\u08e2",
}


def dangerous(char: str) -> bool:
    category = unicodedata.category(char)
    if category in {"Cc", "Cs", "Zl", "Zp"}:
        return True
    if 0xFDD0 <= ord(char) <= 0xFDEF or 0xE0000 <= ord(char) <= 0xE00FF or ord(char) & 0xFFFE == 0xFFFE:
        return True
    script_marks = (0x110BD, 0x110CD, *range(0x13430, 0x13456), *range(0x1BCA0, 0x1BCA4))
    return category == "Cf" and char not in KEPT_FORMAT and ord(char) not in script_marks


def without_colour(text: str) -> str:
    return re.sub("\x1b\\[[0-9;:]{0,64}m", "", text)


@given(hostile_text)
def test_a_line_lets_no_control_sequence_but_colour_through(text: str) -> None:
    assert [char for char in without_colour(safe_line(text)) if dangerous(char) and char != "\t"] == []


@given(hostile_text)
def test_a_text_lets_no_control_but_colour_newline_and_tab_through(text: str) -> None:
    assert [char for char in without_colour(safe_text(text)) if dangerous(char) and char not in "\n\t"] == []


@pytest.mark.parametrize("make_safe", [safe_line, safe_text])
def test_every_single_character_is_kept_or_made_visible(make_safe: object) -> None:
    assert callable(make_safe)
    for code in range(0x110000):
        char = chr(code)
        shown = make_safe(f"a{char}b")
        if dangerous(char):
            kept = char == "\t" or (char == "\n" and make_safe is safe_text)
            assert (char in shown) is kept, hex(code)
            assert len(shown) >= 3, hex(code)
        else:
            assert shown == f"a{char}b", hex(code)


@given(hostile_text)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert safe_line(safe_line(text)) == safe_line(text)
    assert safe_text(safe_text(text)) == safe_text(text)
    assert safe_line(safe_text(text)) == safe_line(safe_line(safe_text(text)))


@given(hostile_text)
def test_safe_text_can_be_encoded(text: str) -> None:
    assert safe_line(text).encode().decode() == safe_line(text)
    assert safe_text(text).encode().decode() == safe_text(text)


COMPLETE = st.sampled_from(
    [
        "\x1b[2J",
        "\x1b[K",
        "\x1b[?1049h",
        "\x1b[>4;2m",
        "\x1b[31m",
        "\x1b[0m",
        "\x1b]0;gone\x07",
        "\x1b]8;;http://gone\x1b\\",
        "\x1bPgone\x1b\\",
        "\x1b(B",
    ]
)
PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")), min_size=1)


@given(st.lists(st.tuples(COMPLETE, PLAIN)))
def test_plain_characters_between_sequences_stay_whole_and_in_order(pieces: list[tuple[str, str]]) -> None:
    text = "".join(sequence + plain for sequence, plain in pieces)
    assert strip_sgr(safe_line(text)) == "".join(plain for _, plain in pieces)


@given(st.text(st.characters(exclude_characters="\x1b")))
def test_without_escape_no_plain_character_is_lost(text: str) -> None:
    plain = [char for char in text if not dangerous(char)]
    shown = iter(safe_line(text))
    assert all(char in shown for char in plain)


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_text_is_returned_as_the_same_object(text: str) -> None:
    assert safe_line(text) is text
    assert safe_text(text) is text


@pytest.mark.parametrize(
    ("given_line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[38;2;1;2;3mtrue\x1b[m", "\x1b[38;2;1;2;3mtrue\x1b[m"),
        ("\x1b[4:3mcurly\x1b[0m", "\x1b[4:3mcurly\x1b[0m"),
        ("\x1b[31mopen", "\x1b[31mopen\x1b[0m"),
        ("\x1b[38;5;0mblack", "\x1b[38;5;0mblack\x1b[0m"),
        ("\x1b[0m\x1b[31m\x1b[K", "\x1b[0m\x1b[31m\x1b[0m"),
        ("\x1b[1mbold\x1b(B\x1b[m", "\x1b[1mbold\x1b[m"),
        ("\x1b[2Jcleared", "cleared"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]52;c;aGk=\x1b\\copied", "copied"),
        ("\x1b]0;never ends", "␛]0;never ends"),
        ("\x1b]0;\x1b[31mred\x1b[0m\x07", "␛]0;\x1b[31mred\x1b[0m␇"),
        ("\x1b[31", "␛[31"),
        ("\x1b" + "[" + "1" * 65 + "m", ""),
        ("\x1b[" + "1" * 300 + "m", "␛[" + "1" * 300 + "m"),
        ("\x1b]0;" + "a" * 5000 + "\x07", "␛]0;" + "a" * 5000 + "␇"),
        ("\x1b\x1b[2K[31mnot spliced", "␛[31mnot spliced"),
        ("\x00\x1b[31mmarked\ufdd0", "␀\x1b[31mmarked\\ufdd0\x1b[0m"),
        ("\x1bc", "␛c"),
        ("\x9b2J", "\\x9b2J"),
        ("a\x08b\x7f", "a␈b␡"),
        ("10%\r20%", "10%␍20%"),
        ("from Windows\r", "from Windows"),
        ("two\r\nlines", "two␊lines"),
        ("tab\tstays", "tab\tstays"),
        ("\u202eevil", "\\u202eevil"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("\U0001f469\u200d\U0001f4bb \u2764\ufe0f", "\U0001f469\u200d\U0001f4bb \u2764\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_a_line_is_shown_as_documented(given_line: str, shown: str) -> None:
    assert safe_line(given_line) == shown


def test_a_text_keeps_its_lines_and_closes_the_colour_of_each() -> None:
    assert safe_text("\x1b[31mone\r\ntwo\x1b[0m\n") == "\x1b[31mone\x1b[0m\ntwo\x1b[0m\n"
    assert safe_text("\ta\n\tb") == "\ta\n\tb"


def test_an_unfinished_sequence_swallows_nothing_of_the_next_line() -> None:
    assert safe_text("\x1b]0;title\nnext\x07") == "␛]0;title\nnext␇"


@given(hostile_text)
def test_text_without_colour_has_no_escape_left(text: str) -> None:
    assert "\x1b" not in strip_sgr(safe_text(text))


def test_taking_the_colour_out_leaves_plain_text_as_it_is() -> None:
    assert strip_sgr("\x1b[1;31mred\x1b[0m and plain") == "red and plain"
    assert strip_sgr("plain") == "plain"


@pytest.mark.parametrize(
    "unit",
    [
        "\x1b]",
        "\x1b[",
        "\x1b[1;",
        "\x1b]0;a",
        "\r",
        "\rx",
        "\r\x1b[m",
        "a\x00",
        "\x1b[m",
        "\x1bP\n",
        "\ufdd0",
    ],
)
@pytest.mark.parametrize("make_safe", [safe_line, safe_text])
def test_hostile_text_takes_linear_time(unit: str, make_safe: object) -> None:
    """A quadratic filter would need minutes for half a million characters; the bound is loose on purpose."""
    assert callable(make_safe)
    text = unit * (500_000 // len(unit))
    start = time.perf_counter()
    make_safe(text)
    assert time.perf_counter() - start < 20


def test_a_long_run_of_returns_inside_a_line_takes_linear_time() -> None:
    start = time.perf_counter()
    assert safe_line("\r" * 500_000 + "x") == "␍" * 500_000 + "x"
    assert time.perf_counter() - start < 20


def test_one_unfinished_title_of_a_million_characters_is_kept() -> None:
    assert safe_line("\x1b]0;" + "a" * 1_000_000) == "␛]0;" + "a" * 1_000_000
