"""Style: the filters that put colour and weight on text, and how a frame does without colour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from milo.errors import StateError
from milo.text import safe_text

__all__ = ["style_filters", "styled", "wants_color", "without_color"]

_COLORS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_WEIGHTS: Final = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "blink": "5",
    "inverse": "7",
    "strike": "9",
}
_FOREGROUND: Final = {
    **{name: str(30 + number) for number, name in enumerate(_COLORS)},
    **{f"bright_{name}": str(90 + number) for number, name in enumerate(_COLORS)},
}
_CODES: Final = {**_FOREGROUND, **_WEIGHTS}
_SGR: Final = re.compile(r"\x1b\[([0-9;:]*)m")


def style_filters() -> dict[str, Callable[..., str]]:
    """Every style by its name in templates: ``red``, ``bright_red``, ..., ``bold``, ..., ``fg`` and ``bg``."""
    filters: dict[str, Callable[..., str]] = {name: _style(code) for name, code in _CODES.items()}
    filters["fg"] = lambda text, color: _styled(text, _color_code(color, 0))
    filters["bg"] = lambda text, color: _styled(text, _color_code(color, 10))
    return filters


def styled(text: object, styles: str) -> str:
    """Text in one or more styles by name: ``"bold red"``; "" leaves it as it is. Raises StateError."""
    codes = [_CODES.get(name) for name in styles.split()]
    if None in codes:
        close = get_close_matches(styles.split()[codes.index(None)], _CODES, 1)
        raise StateError(f"{styles!r} is not a style.", hint=f"Did you mean {close[0]!r}?" if close else "")
    return _styled(text, ";".join(map(str, codes))) if codes else safe_text(str(text))


def _style(code: str) -> Callable[[Any], str]:
    return lambda text: _styled(text, code)


def _styled(text: object, code: str) -> str:
    # A line at a time: each line of the screen is drawn by itself.
    lines = safe_text(str(text)).split("\n")
    return "\n".join([f"\x1b[{code}m{line}\x1b[0m" for line in lines])


def _color_code(color: object, shift: int) -> str:
    """The SGR code of a colour's name, its number from 0 to 255, or ``#rrggbb``; `shift` is 10 for backgrounds."""
    if isinstance(color, int) and 0 <= color <= 255:
        return f"{38 + shift};5;{color}"
    if isinstance(color, str):
        if color in _FOREGROUND:
            return str(int(_FOREGROUND[color]) + shift)
        if re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
            return f"{38 + shift};2;{red};{green};{blue}"
    raise StateError(
        f"{color!r} is not a colour.", hint='Use a name such as "red", a number from 0 to 255, or "#rrggbb".'
    )


def without_color(text: str) -> str:
    """Take the colours out of a frame; bold, dim, inverse and the like stay, for they are no colours."""
    return _SGR.sub(_weights_only, text) if "\x1b" in text else text


def _weights_only(sequence: re.Match[str]) -> str:
    kept: list[str] = []
    codes = iter(sequence[1].split(";"))
    for code in codes:
        if code in ("38", "48", "58"):
            # What follows belongs to it: 5 and a number, or 2 and three.
            for _ in range({"5": 1, "2": 3}.get(next(codes, ""), 0)):
                next(codes, "")
        elif ":" not in code and (not code or int(code) < 30):
            kept.append(code)
    return f"\x1b[{';'.join(kept)}m" if kept else ""


def wants_color(environ: Mapping[str, str], *, tty: bool, flag: bool | None) -> bool:
    """Tell whether to write colour: the flag, then NO_COLOR, FORCE_COLOR, then whether it is a terminal."""
    if flag is not None:
        return flag
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return environ["FORCE_COLOR"].lower() not in ("0", "false")
    return tty
