"""Key presses of prompt_toolkit as milo's keys."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.keys import Keys

from milo.terminal import Key, SpecialKey
from milo.terminal.decode import decoded


def keys(*presses: Any) -> list[Key]:
    return list(decoded([SimpleNamespace(key=press) for press in presses]))


@pytest.mark.parametrize(
    ("press", "key"),
    [
        ("g", Key("g")),
        ("G", Key("G")),
        ("漢", Key("漢")),
        (" ", Key(" ")),
        (Keys.Up, Key(name=SpecialKey.UP)),
        (Keys.PageDown, Key(name=SpecialKey.PAGE_DOWN)),
        (Keys.F12, Key(name=SpecialKey.F12)),
        (Keys.ControlM, Key(name=SpecialKey.ENTER)),
        (Keys.ControlJ, Key(name=SpecialKey.ENTER)),
        (Keys.ControlI, Key(name=SpecialKey.TAB)),
        (Keys.ControlH, Key(name=SpecialKey.BACKSPACE)),
        (Keys.BackTab, Key(name=SpecialKey.TAB, shift=True)),
        (Keys.ControlC, Key("c", ctrl=True)),
        (Keys.ControlAt, Key(" ", ctrl=True)),
        (Keys.ControlBackslash, Key("\\", ctrl=True)),
        (Keys.ControlLeft, Key(name=SpecialKey.LEFT, ctrl=True)),
        (Keys.ControlShiftEnd, Key(name=SpecialKey.END, ctrl=True, shift=True)),
        (Keys.Escape, Key(name=SpecialKey.ESCAPE)),
    ],
)
def test_each_press_is_a_key(press: Any, key: Key) -> None:
    assert keys(press) == [key]


def test_escape_with_something_behind_it_is_alt() -> None:
    assert keys(Keys.Escape, "x") == [Key("x", alt=True)]
    assert keys(Keys.Escape, Keys.Up, "y") == [Key(name=SpecialKey.UP, alt=True), Key("y")]
    assert keys(Keys.Escape, Keys.Escape) == [Key(name=SpecialKey.ESCAPE, alt=True)]


@pytest.mark.parametrize(
    "press", [Keys.Vt100MouseEvent, Keys.CPRResponse, Keys.BracketedPaste, Keys.Ignore, "\udc80"]
)
def test_what_is_no_key_is_left_out(press: Any) -> None:
    assert keys(press) == []
    assert keys(Keys.Escape, press) == [Key(name=SpecialKey.ESCAPE)]


def test_every_special_key_can_be_pressed() -> None:
    pressed = {key.name for each in Keys for key in keys(each)}
    assert pressed >= set(SpecialKey)
