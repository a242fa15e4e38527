"""Draws docs/run.svg, the picture in the README: what `milo run` shows in a terminal of its own."""

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
PICTURE = ROOT / "docs" / "run.svg"
COLUMNS, ROWS = 84, 24
MOMENT_S = 3.0
COMMAND = "milo run pipeline.py"
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n")


def main() -> None:
    """Run the pipeline, look at its screen at one moment, and write the picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), COMMAND))
    console.print(Text.from_ansi("\n".join(screen(written_until(MOMENT_S)))))
    svg = console.export_svg(title="milo")
    # Fonts from elsewhere would make a reader of the README a visitor of a third party.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def written_until(seconds: float) -> str:
    """What the command has written to its terminal that many seconds after its first word."""
    child, terminal = pty.fork()
    if child == 0:
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("CI", "NO_COLOR", "MILO_PLAIN"):
            environment.pop(name, None)
        os.chdir(ROOT / "tools")
        os.execve(
            sys.executable,
            [sys.executable, "-m", "milo", "run", "picture_pipeline.py", "--jobs", "4"],
            environment,
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
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
    """The lines on the screen, for the few control sequences that the live view uses; colours stay."""
    lines, row, position = [""], 0, 0
    for control in _CONTROL.finditer(written):
        lines[row] += written[position : control.start()]
        position = control.end()
        if control[0] == "\n":
            row += 1
            lines.extend([""] * (row + 1 - len(lines)))
        elif control[2] == "m":
            lines[row] += control[0]
        elif control[2] == "K":
            lines[row] = ""
        elif control[2] == "A":
            row -= int(control[1] or 1)
    lines[row] += written[position:]
    return lines


if __name__ == "__main__":
    main()
