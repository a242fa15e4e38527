"""Colour and weight: what the filters write, and a frame without colour."""

from __future__ import annotations

import pytest

from milo.errors import StateError
from milo.terminal.style import style_filters, styled, wants_color, without_color

FILTERS = style_filters()


def test_every_colour_and_weight_has_its_code() -> None:
    def codes(*names: str) -> list[str]:
        return [FILTERS[name]("x").removeprefix("\x1b[").removesuffix("mx\x1b[0m") for name in names]

    colors = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
    assert codes(*colors) == [str(code) for code in range(30, 38)]
    assert codes(*[f"bright_{color}" for color in colors]) == [str(code) for code in range(90, 98)]
    assert codes("bold", "dim", "italic", "underline", "blink", "inverse", "strike") == list("1234579")


def test_styles_stand_inside_each_other() -> None:
    assert FILTERS["bold"](FILTERS["red"]("x")) == "\x1b[1m\x1b[31mx\x1b[0m\x1b[0m"


def test_each_line_is_styled_by_itself() -> None:
    assert FILTERS["red"]("a\nb") == "\x1b[31ma\x1b[0m\n\x1b[31mb\x1b[0m"


def test_a_styled_value_is_made_safe() -> None:
    assert FILTERS["red"]("a\x1b[2Jb\x9b") == "\x1b[31mab\\x9b\x1b[0m"
    assert FILTERS["red"](7) == "\x1b[31m7\x1b[0m"


@pytest.mark.parametrize(
    ("color", "foreground", "background"),
    [
        ("red", "31", "41"),
        ("bright_red", "91", "101"),
        (200, "38;5;200", "48;5;200"),
        ("#0a0BfF", "38;2;10;11;255", "48;2;10;11;255"),
    ],
)
def test_any_colour_before_and_behind(color: object, foreground: str, background: str) -> None:
    assert FILTERS["fg"]("x", color) == f"\x1b[{foreground}mx\x1b[0m"
    assert FILTERS["bg"]("x", color) == f"\x1b[{background}mx\x1b[0m"


@pytest.mark.parametrize("color", ["rot", 256, -1, "#12", None])
def test_what_is_no_colour_is_refused(color: object) -> None:
    with pytest.raises(StateError, match="is not a colour"):
        FILTERS["fg"]("x", color)


def test_styles_by_name() -> None:
    assert styled("x", "bold red") == "\x1b[1;31mx\x1b[0m"
    assert styled("x", "") == "x"
    with pytest.raises(StateError, match=r"'bold redd' is not a style\. Did you mean 'red'\?"):
        styled("x", "bold redd")


@pytest.mark.parametrize(
    ("colored", "plain"),
    [
        ("\x1b[31mx\x1b[0m", "x\x1b[0m"),
        ("\x1b[1;31;4mx", "\x1b[1;4mx"),
        ("\x1b[38;5;1;1mx", "\x1b[1mx"),
        ("\x1b[48;2;1;2;3;7mx", "\x1b[7mx"),
        ("\x1b[mx", "\x1b[mx"),
        ("\x1b[38:5:1mx", "x"),
        ("\x1b[38mx", "x"),
        ("plain", "plain"),
    ],
)
def test_without_colour_weights_stay(colored: str, plain: str) -> None:
    assert without_color(colored) == plain


@pytest.mark.parametrize(
    ("flag", "environ", "tty", "wanted"),
    [
        (True, {"NO_COLOR": "1"}, False, True),
        (False, {"FORCE_COLOR": "1"}, True, False),
        (None, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        (None, {"FORCE_COLOR": "1"}, False, True),
        (None, {"FORCE_COLOR": "0"}, True, False),
        (None, {"NO_COLOR": ""}, True, True),
        (None, {}, True, True),
        (None, {}, False, False),
    ],
)
def test_flag_then_variables_then_terminal(
    flag: bool | None, environ: dict[str, str], tty: bool, wanted: bool
) -> None:
    assert wants_color(environ, tty=tty, flag=flag) is wanted
