"""A real terminal for tests: tmux with a shell in it, and a program of the test's own in that shell."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
PATIENCE_S = 30.0

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")

_numbers = itertools.count()


class Tmux:
    """A terminal of some size with an interactive shell.

    Args:
        folder: The working directory.
        columns: Cells in a line.
        rows: Lines.
    """

    def __init__(self, folder: Path, columns: int = 80, rows: int = 24) -> None:
        self.folder = folder
        self._socket = f"milo-test-{os.getpid()}-{next(_numbers)}"
        decide = {"CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "TMUX", "COLUMNS", "LINES"}
        self._environment = {key: value for key, value in os.environ.items() if key not in decide}
        self._environment |= {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(SOURCE)}
        size = ("-x", str(columns), "-y", str(rows))
        shell = "env PS1='$ ' bash --norc -i"
        self.tmux("-u", "-f", os.devnull, "new-session", "-d", *size, "-c", str(folder), shell)

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout

    def close(self) -> None:
        socket = Path(self.flag("socket_path"))
        self.tmux("kill-server")
        # tmux leaves it behind.
        socket.unlink(missing_ok=True)

    # What is to be seen.

    def screen(self, *, color: bool = False) -> str:
        """What is shown; a line of output that the terminal has wrapped is one line."""
        text = self.tmux("capture-pane", "-p", "-J", *(["-e"] if color else []))
        return "\n".join([line.rstrip() for line in text.splitlines()]) + "\n"

    def is_alternate(self) -> bool:
        return self.flag("alternate_on") == "1"

    def flag(self, name: str) -> str:
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s; on the screen:\n{self.screen()}"
            time.sleep(0.02)

    def shows(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        self.until(lambda: all(text in self.screen() for text in texts))

    def hides(self, text: str) -> None:
        """Wait until this is not on the screen any more."""
        self.until(lambda: text not in self.screen())

    # What is to be done.

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names (``Up``, ``C-c``), or type a character."""
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def start(self, program: str, *arguments: str, name: str = "program.py") -> None:
        """Start a Python program in the shell; what the terminal was like before and afterwards is kept."""
        (self.folder / name).write_text(program, "utf-8")
        words = " ".join([sys.executable, name, *arguments])
        self.shows("$")
        self.type(f"stty -g > before; {words}; echo $? > status; stty -g > after")
        self.press("Enter")

    def pid(self) -> int:
        """The process id of the program, which it has written to a file ``pid``."""
        self.until(lambda: (self.folder / "pid").exists() and bool((self.folder / "pid").read_text()))
        return int((self.folder / "pid").read_text())

    def ended(self) -> int:
        """Wait for the end of the program and look whether the terminal is as it was; the exit status."""
        self.until(lambda: (self.folder / "after").exists() and bool(self.read("after")))
        assert self.read("after") == self.read("before")
        assert not self.is_alternate()
        assert (self.flag("cursor_flag"), self.flag("wrap_flag")) == ("1", "1")
        self.until(lambda: self.screen().rstrip().endswith("$"))
        return int(self.read("status"))

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")
