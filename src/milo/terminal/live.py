"""Live rows: a few lines below everything that a terminal has shown, drawn again in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from milo.terminal.cells import break_lines, truncate

__all__ = ["LiveRows"]

_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
# A character that the terminal takes for wider than it is here must not begin a new line.
_NO_WRAP: Final = "\x1b[?7l"
_WRAP: Final = "\x1b[?7h"
# The terminal shows what comes between the two at once, where it knows them; others pass them over.
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"


class LiveRows:
    """Works out what to write so that rows are shown below the lines that stay.

    Args:
        reflows: Whether the terminal breaks lines anew when it becomes narrower, as nearly all do.
    """

    def __init__(self, *, reflows: bool = True) -> None:
        self._reflows = reflows
        self._shown: list[str] | None = None
        """The rows on the screen; None while there are none."""

    def draw(self, above: Sequence[str], rows: Sequence[str], columns: int, lines: int) -> str:
        """What to write so that the rows stand there anew.

        Args:
            above: Lines that stay, to be written above them.
            rows: The rows, safe text; each takes one line.
            columns: The cells in a line of the terminal.
            lines: The lines of the terminal.
        """
        rows = [truncate(row, columns) for row in rows[: max(1, lines)]]
        start = self._to_start(columns, lines)
        # Lines that stay may need more than one line of the terminal, and leave what was there to their right.
        kept = "".join([f"{line}\r\n" for line in above])
        shown = "\r\n".join([f"\x1b[2K{row}" for row in rows])
        self._shown = rows
        clear = "\x1b[J" if kept else ""
        return f"{_BEGIN}{_HIDE_CURSOR}{start}{clear}{kept}{_NO_WRAP}{shown}\x1b[J{_WRAP}{_END}"

    def clear(self, above: Sequence[str], columns: int, lines: int) -> str:
        """What to write so that the rows are gone, the cursor is back, and only the lines above are left."""
        if self._shown is None and not above:
            return ""
        start = self._to_start(columns, lines)
        self._shown = None
        kept = "".join([f"{line}\r\n" for line in above])
        return f"{start}\x1b[J{kept}{_WRAP}{_SHOW_CURSOR}"

    def _to_start(self, columns: int, lines: int) -> str:
        """To the beginning of the first row, from the end of the last one."""
        if self._shown is None:
            return "\r"
        taken = len(self._shown)
        if self._reflows:
            # A wide character that does not fit any more goes to the next line: counting cells is not enough.
            taken = sum(len(break_lines(row, max(2, columns), lines)) for row in self._shown)
        up = min(taken, lines) - 1
        return f"\r\x1b[{up}A" if up > 0 else "\r"
