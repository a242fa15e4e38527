"""Keys: what a person pressed, as values that reducers can compare, whatever library read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["KEY", "RESIZE", "Key", "SpecialKey"]

KEY: Final = "@@KEY"
"""The type of the action for a key press; its payload is a `Key`."""

RESIZE: Final = "@@RESIZE"
"""The type of the action for a new window size; its payload is ``{"columns": ..., "rows": ...}`` in cells."""


class SpecialKey(Enum):
    """A key that types no character; the space bar types one and is ``Key(" ")``."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    ENTER = "enter"
    ESCAPE = "escape"
    TAB = "tab"
    BACKSPACE = "backspace"
    DELETE = "delete"
    INSERT = "insert"
    HOME = "home"
    END = "end"
    PAGE_UP = "page_up"
    PAGE_DOWN = "page_down"
    F1 = "f1"
    F2 = "f2"
    F3 = "f3"
    F4 = "f4"
    F5 = "f5"
    F6 = "f6"
    F7 = "f7"
    F8 = "f8"
    F9 = "f9"
    F10 = "f10"
    F11 = "f11"
    F12 = "f12"


@dataclass(frozen=True, slots=True)
class Key:
    """One key press.

    Args:
        char: The character it types, as typed (``"G"``, not ``"g"`` with shift); "" for a special key.
        name: Which special key it is; None for a character.
        ctrl: Whether Control was held.
        alt: Whether Alt (or Option) was held.
        shift: Whether Shift was held, where the terminal tells.
    """

    char: str = ""
    name: SpecialKey | None = None
    ctrl: bool = False
    alt: bool = False
    shift: bool = False
