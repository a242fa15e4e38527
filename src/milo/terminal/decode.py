"""Decoding: the key presses that prompt_toolkit reads, as milo's keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from milo.terminal.keys import Key, SpecialKey

__all__ = ["KeyPress", "decoded"]


class KeyPress(Protocol):
    """What prompt_toolkit calls a key press; its key is one character, or the name of a special key."""

    @property
    def key(self) -> str: ...


_NAMES: Final = {
    **{key.value: key for key in SpecialKey},
    "pageup": SpecialKey.PAGE_UP,
    "pagedown": SpecialKey.PAGE_DOWN,
}
# Control characters that are keys of their own on every keyboard.
_CONTROLS: Final = {
    "c-m": Key(name=SpecialKey.ENTER),
    "c-j": Key(name=SpecialKey.ENTER),
    "c-i": Key(name=SpecialKey.TAB),
    "c-h": Key(name=SpecialKey.BACKSPACE),
    "c-@": Key(" ", ctrl=True),
}


def decoded(presses: Iterable[KeyPress]) -> Iterator[Key]:
    """The keys that were pressed; what is no key (a mouse, an answer of the terminal) is left out.

    Escape together with what follows it in the same reading is that key with Alt held, as terminals send it.
    """
    alt = False
    for press in presses:
        name = getattr(press.key, "value", press.key)
        if name == "escape" and not alt:
            alt = True
            continue
        key = _key(name)
        if key is not None:
            yield Key(key.char, key.name, key.ctrl, alt, key.shift) if alt else key
        elif alt:
            yield Key(name=SpecialKey.ESCAPE)
        alt = False
    if alt:
        yield Key(name=SpecialKey.ESCAPE)


def _key(name: str) -> Key | None:
    if len(name) == 1:
        # A byte that was not UTF-8 comes as a lone surrogate, and types nothing.
        return None if "\ud800" <= name <= "\udfff" else Key(name)
    if name in _CONTROLS:
        return _CONTROLS[name]
    base, ctrl, shift = name, False, False
    while len(base) > 2 and base[1] == "-" and base[0] in "cs":
        ctrl, shift, base = ctrl or base[0] == "c", shift or base[0] == "s", base[2:]
    if base in _NAMES:
        return Key(name=_NAMES[base], ctrl=ctrl, shift=shift)
    return Key(base, ctrl=ctrl, shift=shift) if ctrl and len(base) == 1 else None
