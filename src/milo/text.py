"""Text from outside made safe: the one place that decides what may reach a journal or a terminal.

Colour (SGR sequences, ``ESC [ 1 ; 31 m``) passes. A complete control sequence of another kind (cursor,
clear, title, hyperlink, clipboard, ...) is dropped, as a terminal would not show it either. A control
character on its own, an unfinished sequence's included, is made visible: ``␛`` for ESC, ``\\x9b`` or
``\\u202e`` where Unicode has no picture for it. No plain character is lost, and the time is linear.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["safe_line", "safe_text", "strip_sgr"]

# Compiled when they are first needed: most programs print plain text only.
_compiled = cache(re.compile)

_RESET = "\x1b[0m"

# Stands for the ESC of a colour sequence while the others are removed; the same character in the input
# is made visible first.
_MARK = "\ufdd0"

_CONTROLS = r"\x00-\x1f\x7f-\x9f"

# Everything that has no business in text: it moves the cursor, breaks the line, turns the direction of
# reading, hides, or cannot be encoded. Joiners (U+200C, U+200D) and variation selectors stay: scripts and
# emoji need them.
_FORBIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    r"\u2028\u2029"  # line and paragraph separator
    r"\xad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a"  # invisible
    r"\U000e0000-\U000e00ff"  # tags: a hidden alphabet
    r"\ud800-\udfff"  # lone surrogates
    r"\ufdd0-\ufdef" + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17))  # noncharacters
)

# Bounded and possessive everywhere, and no class contains ESC: each character is looked at a few times only.
_SGR_BODY = r"\[[0-9;:]{0,64}+m"
_SGR = "\x1b" + _SGR_BODY
_SGR_TO_MARK = f"\x1b({_SGR_BODY})"
# The group itself is not possessive: before Python 3.11.5 that let an unfinished sequence match.
_SAFE = f"[^{_FORBIDDEN}]*+(?:\x1b{_SGR_BODY}[^{_FORBIDDEN}]*+)*"
_FORBIDDEN_RUN = f"[{_FORBIDDEN}]++"
_SEQUENCE = (
    "\x1b(?:"
    r"\[[0-?]{0,256}+[ -/]{0,8}+[@-~]"  # CSI: cursor, erase, modes
    rf"|[\]PX^_][^{_CONTROLS}{_MARK}]{{0,4096}}+(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|[()][AB012]"  # a character set, part of what tput sgr0 prints
    ")"
)
# The look-behind lets a run of returns be tried once only, not once for each of them.
_RETURN_BEFORE_NEWLINE = r"(?<!\r)\r++(?=\n|\Z)"
_LAST_SGR_RESETS = r"\x1b\[[0;]*m[^\x1b]*\Z"


def safe_text(text: str) -> str:
    r"""Make text harmless, lines and tabs kept: for error messages and the like.

    Args:
        text: Anything, lone surrogates included.

    Returns:
        The text with only colour sequences, ``\n``, ``\t`` and plain characters in it, encodable as UTF-8;
        a line that leaves a colour on is closed with a reset. Ordinary text comes back as the same object.
    """
    if text.isprintable():
        return text
    if not _compiled(_SAFE).fullmatch(text):
        text = _cleaned(text)
    return "\n".join(map(_closed, text.split("\n"))) if "\x1b" in text else text


def safe_line(text: str) -> str:
    r"""Make text harmless and one line: for names, titles and lines of output.

    Args:
        text: Anything, lone surrogates included.

    Returns:
        As from `safe_text`, but a newline inside is shown as ``␊``.
    """
    if text.isprintable():
        return text
    if not _compiled(_SAFE).fullmatch(text):
        text = _cleaned(text)
    if "\n" in text:
        text = text.replace("\n", "␊")
    return _closed(text) if "\x1b" in text else text


def strip_sgr(text: str) -> str:
    """Take the colour out of safe text: for files, pipes and measuring widths.

    Args:
        text: What `safe_text` or `safe_line` returned.

    Returns:
        The text without colour sequences, so without any escape character.
    """
    return _compiled(_SGR).sub("", text) if "\x1b" in text else text


def _cleaned(text: str) -> str:
    text = text.replace(_MARK, r"\ufdd0")
    # What is left when a sequence is cut out may look like a new one ("ESC, sequence, [31m"): colours are
    # marked before, and every ESC that is left afterwards is made visible.
    text = _compiled(_SGR_TO_MARK).sub(_MARK + r"\1", text)
    text = _compiled(_SEQUENCE).sub("", text)
    text = _compiled(_RETURN_BEFORE_NEWLINE).sub("", text.replace("\x1b", "␛"))
    return _compiled(_FORBIDDEN_RUN).sub(_shown, text)


def _shown(run: re.Match[str]) -> str:
    return run[0].translate(_PICTURES)


def _closed(line: str) -> str:
    start = line.rfind("\x1b")
    return line if start < 0 or _compiled(_LAST_SGR_RESETS).match(line, start) else line + _RESET


class _Pictures(dict[int, str]):
    """What to show for each forbidden character, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        if code < 0x20:
            shown = chr(0x2400 + code)
        elif code == 0x7F:
            shown = "␡"
        else:
            shown = (
                f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
            )
        self[code] = shown
        return shown


_PICTURES = _Pictures({ord(_MARK): "\x1b"})
