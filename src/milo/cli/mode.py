"""How to show a run: live or in plain lines, with colour or without; two questions, each answered once."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["is_true", "wants_color", "wants_live"]


def wants_live(env: Mapping[str, str], *, tty: bool, plain: bool) -> bool:
    """Tell whether rows can be redrawn in place: only on a terminal that can, with a person before it."""
    return tty and not plain and env.get("TERM") != "dumb" and not is_true(env.get("CI", ""))


def wants_color(env: Mapping[str, str], *, tty: bool, flag: bool | None) -> bool:
    """Tell whether to write colour: the flag, then NO_COLOR, FORCE_COLOR, then whether it is a terminal."""
    if flag is not None:
        return flag
    if env.get("NO_COLOR"):
        return False
    if "FORCE_COLOR" in env and env["FORCE_COLOR"] != "":
        return env["FORCE_COLOR"].lower() not in ("0", "false")
    return tty and env.get("TERM") != "dumb"


def is_true(text: str) -> bool:
    """Tell whether a variable such as CI is switched on: anything but empty, 0, false, no and off."""
    return text.lower() not in ("", "0", "false", "no", "off")
