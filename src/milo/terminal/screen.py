"""The screen: what has to be written so that a terminal shows a frame, and shows its old content again afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from milo.terminal.cells import truncate, width

__all__ = ["ENTER", "LEAVE", "Screen", "lines_of"]

ENTER = (
    "\x1b[?1049h"  # the alternate screen
    "\x1b[?25l"  # no cursor
    "\x1b[?7l"  # a line that is too long stays on its line
    "\x1b[?1007s\x1b[?1007h"  # the wheel sends arrow keys; how that was before is kept
    "\x1b[0m\x1b[2J\x1b[H"
)
LEAVE = "\x1b[0m\x1b[?1007r\x1b[?7h\x1b[?25h\x1b[?1049l"
# The terminal shows what comes between the two at once, where it knows them; others pass them over.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


def lines_of(text: str, columns: int, rows: int) -> list[str]:
    """A rendered template as at most `rows` lines of at most `columns` cells; it is safe text already."""
    return [truncate(line, columns, end="") for line in text.split("\n", rows)[:rows]]


class Screen:
    """Remembers what is shown, so that only lines that differ are written."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._size = (0, 0)

    def forget(self) -> None:
        """Draw everything anew next time: somebody else has written on the screen."""
        self._size = (0, 0)

    def update(self, lines: Sequence[str], columns: int, rows: int) -> str:
        """What to write so that `lines` are shown on a screen of that size; "" when nothing has changed."""
        out: list[str] = []
        shown = self._shown
        if self._size != (columns, rows):
            self._size, shown = (columns, rows), []
            out.append("\x1b[0m\x1b[2J")
        for number, line in enumerate(lines):
            if number < len(shown) and shown[number] == line:
                continue
            # Every line has its place: a character that the terminal takes for wider than it is here moves no other.
            out.append(f"\x1b[{number + 1};1H{line}")
            if width(line) < columns:
                out.append("\x1b[K")
        out += [f"\x1b[{number + 1};1H\x1b[K" for number in range(len(lines), len(shown)) if shown[number]]
        self._shown = list(lines)
        return f"{_BEGIN}{''.join(out)}{_END}" if out else ""
