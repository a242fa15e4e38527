"""Draws the README's pictures, docs/run.svg and docs/detail.svg: what `milo run` shows in a terminal of its own."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs"
COLUMNS, ROWS = 84, 24
DETAIL_COLUMNS, DETAIL_ROWS = 108, 17
MOMENT_S = 3.0
COMMAND = "milo run pipeline.py"
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n")


def main() -> None:
    """Run the pipeline, look at its screen at one moment, and write the pictures."""
    rows = screen(written_until(MOMENT_S, COLUMNS, ROWS))
    draw("run.svg", COLUMNS, Text.assemble(("$ ", "dim"), COMMAND), Text.from_ansi("\n".join(rows)))
    rows = screen(written_until(MOMENT_S, DETAIL_COLUMNS, DETAIL_ROWS, "--tui"))
    draw("detail.svg", DETAIL_COLUMNS, Text.from_ansi("\n".join(rows[:DETAIL_ROWS])))


def draw(name: str, columns: int, *parts: Text) -> None:
    """Write a picture of a terminal that shows these."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    for part in parts:
        console.print(part)
    svg = console.export_svg(title="milo")
    # Fonts from elsewhere would make a reader of the README a visitor of a third party.
    (FOLDER / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def written_until(seconds: float, columns: int, rows: int, *options: str) -> str:
    """What the command has written to a terminal of that size, so many seconds after its first word."""
    child, terminal = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("CI", "GITHUB_ACTIONS", "NO_COLOR", "MILO_PLAIN"):
            environment.pop(name, None)
        os.chdir(ROOT / "tools")
        command = ["-m", "milo", "run", "picture_pipeline.py", "--jobs", "4", "--no-journal", *options]
        os.execve(sys.executable, [sys.executable, *command], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    written, deadline = "", None
    while deadline is None or time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                written += decoder.decode(os.read(terminal, 65536))
            except OSError:  # the command has ended, and its terminal with it
                break
            deadline = deadline or time.monotonic() + seconds
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)
    return written


def screen(written: str) -> list[str]:
    """The lines on the screen, for the few control sequences that milo's views use; colours stay."""
    lines, row, position, at_start = [""], 0, 0, True
    for control in _CONTROL.finditer(written):
        text = written[position : control.start()]
        lines[row] += text
        at_start = at_start and not text
        position = control.end()
        kind, number = control[2], control[1]
        if control[0] == "\r":
            at_start = True
        elif control[0] == "\n":
            row += 1
        elif kind == "m":
            lines[row] += control[0]
        elif kind == "K" and (number == "2" or at_start):
            lines[row] = ""
        elif kind == "J":
            del lines[row + (not at_start) :]
        elif kind == "A":
            row -= int(number or 1)
        elif kind == "H":
            row, at_start = int(number.partition(";")[0] or 1) - 1, True
        lines.extend([""] * (row + 1 - len(lines)))
        if kind == "H":
            # Whoever addresses a line writes all of it.
            lines[row] = ""
    lines[row] += written[position:]
    return lines


if __name__ == "__main__":
    main()
