"""Cells: how many columns text takes on a screen, and text cut, filled or broken to a number of them.

Colour sequences take none, wide characters and most emoji take two. Each function makes its text safe first, so
that nothing but colour reaches the measuring, or the terminal.
"""

from __future__ import annotations

from milo.text import safe_line

__all__ = ["break_lines", "clip", "fit", "pad", "truncate", "width"]

# A line without an end must not be measured to its end for the few cells of it that are shown.
_CHARACTERS_A_CELL = 8
_SPARE_CHARACTERS = 256
# Stands for the half of a wide character; safe text never holds it.
_HALF = "\ufdd1"


def width(text: object) -> int:
    """The cells that a line takes."""
    # Here and below: the library takes longer to import than everything else that pipelines need of this module.
    import wcwidth

    line = _line(text)
    return len(line) if line.isascii() and line.isprintable() else wcwidth.width(line)


def clip(text: object, columns: int, start: int = 0) -> str:
    """The part of a line from the cell `start` on that takes at most `columns` cells; tabs become spaces."""
    import wcwidth

    if columns <= 0:
        return ""
    end = start + columns
    line = _line(text, end)
    if line.isascii() and line.isprintable():
        return line[start:end]
    return wcwidth.clip(line, start, end)


def truncate(text: object, columns: int = 80, end: str = "…") -> str:
    """A line cut to `columns` cells, with `end` in place of what is missing."""
    import wcwidth

    if columns <= 0:
        return ""
    line = _line(text, columns + 1)
    if width(line) <= columns:
        return line if "\t" not in line else clip(line, columns)
    room = columns - width(end)
    # The half of a wide character is left out: what is missing is said anyway.
    return (
        wcwidth.clip(line, 0, room, fillchar=_HALF).replace(_HALF, "") + end
        if room > 0
        else clip(line, columns)
    )


def pad(text: object, columns: int, align: str = "left", fill: str = " ") -> str:
    """A line filled up to `columns` cells; `align` is left, right or center. A longer one stays as it is."""
    line = _line(text)
    missing = columns - width(line)
    if missing <= 0:
        return line
    if align == "right":
        return fill * missing + line
    if align == "center":
        return fill * (missing // 2) + line + fill * (missing - missing // 2)
    return line + fill * missing


def fit(text: object, columns: int, align: str = "left", end: str = "…") -> str:
    """A line cut or filled to exactly `columns` cells."""
    return pad(truncate(text, columns, end), columns, align)


def break_lines(text: object, columns: int, most: int = 200) -> list[str]:
    """Every line of a text, broken into pieces of at most `columns` cells; at most `most` pieces."""
    pieces: list[str] = []
    for whole in (str(text).splitlines() or [""])[:most]:
        line = _line(whole[: 2 * columns * most + _SPARE_CHARACTERS])
        while len(pieces) < most:
            piece, line = _split(line, columns)
            pieces.append(piece)
            if not width(line):
                break
    return pieces


def _split(line: str, columns: int) -> tuple[str, str]:
    """The first cells of a safe line and the rest; a wide character that does not fit any more goes to the rest."""
    import wcwidth

    if line.isascii() and line.isprintable():
        return line[:columns], line[columns:]
    piece = wcwidth.clip(line, 0, columns, fillchar=_HALF)
    if _HALF in piece and columns > 1:
        columns -= 1
    return piece.replace(_HALF, ""), wcwidth.clip(line, columns)


def _line(text: object, cells: int | None = None) -> str:
    """A value as safe text on one line, no longer than what can matter for that many cells."""
    line = text if isinstance(text, str) else str(text)
    if cells is not None:
        line = line[: cells * _CHARACTERS_A_CELL + _SPARE_CHARACTERS]
    return safe_line(line)
