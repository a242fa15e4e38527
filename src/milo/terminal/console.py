"""The console: the terminal a program runs in, read and written through prompt_toolkit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol, TextIO

from milo.terminal.decode import decoded
from milo.terminal.keys import Key, SpecialKey
from milo.terminal.screen import ENTER, LEAVE

__all__ = ["Console", "SystemConsole", "is_terminal"]


def is_terminal(stream: TextIO | None, environ: Any = os.environ) -> bool:
    """Tell whether a view can be drawn on a stream: a terminal that can do more than print."""
    try:
        return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"
    except ValueError:  # it was closed
        return False


class Console(Protocol):
    """What the loop asks of a terminal; tests have one without a terminal."""

    def enter(self) -> None:
        """Take the screen and the keyboard; again without `leave` in between where somebody else had them."""

    def leave(self) -> None:
        """Give both back as they were; more than once does no harm."""

    def size(self) -> tuple[int, int]:
        """Columns and rows."""

    def write(self, text: str) -> None:
        """Write text and control sequences at once. Raises OSError when the terminal is gone."""

    def attach(self, ready: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `ready` on the running event loop whenever there is something to read, until the block ends."""

    def read(self) -> list[Key]:
        """The keys that were pressed; whole ones only."""

    def flush(self) -> list[Key]:
        """What is left when nothing follows any more: an Escape that began no sequence."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be read any more."""


class SystemConsole:
    """The terminal of this process, through descriptors of its own, whatever becomes of those of the process.

    Args:
        stdin: Where keys come from, unless it is no terminal; then they come from that of `stdout`.
        stdout: The terminal.
    """

    def __init__(self, stdin: TextIO | None, stdout: TextIO) -> None:
        from prompt_toolkit.input import create_input
        from prompt_toolkit.output import create_output

        self._files = ExitStack()
        self._raw: AbstractContextManager[None] | None = None
        self._left_waiting = False
        if os.name == "posix":
            source = stdin if is_terminal(stdin) else stdout
            stdin, stdout = self._own(source, "r"), self._own(stdout, "w")
        self._input = create_input(stdin)
        self._output = create_output(stdout)

    def _own(self, stream: TextIO | None, mode: str) -> Any:
        stream = stream or sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        file = os.fdopen(os.dup(stream.fileno()), mode, encoding=encoding, errors="replace")
        return self._files.enter_context(file)

    def close(self) -> None:
        """Leave, and let go of the terminal."""
        self.leave()
        try:
            self._files.close()
        except OSError:
            # The terminal is gone, with what was to be written to it.
            return

    def enter(self) -> None:
        if self._raw is None:
            self._raw = self._input.raw_mode()
            self._raw.__enter__()
            self.write(ENTER)
        else:
            # Whoever had the terminal meanwhile has put its own settings in place of ours; those from before are kept.
            self._input.raw_mode().__enter__()
            self.write(ENTER.removeprefix("\x1b[?1049h"))

    def leave(self) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            return
        try:
            self.write(LEAVE)
        except OSError:
            # The terminal is gone; its settings are put back all the same, should it be only its output.
            pass
        finally:
            raw.__exit__(None, None, None)

    def size(self) -> tuple[int, int]:
        size = self._output.get_size()
        return size.columns, size.rows

    def write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()

    def attach(self, ready: Callable[[], None]) -> AbstractContextManager[None]:
        return self._input.attach(ready)

    def read(self) -> list[Key]:
        presses = self._input.read_keys()
        keys: list[Key] = []
        if presses and self._left_waiting and presses[0].key == "escape":
            # It was read before what follows it came, so that it is no Alt.
            keys.append(Key(name=SpecialKey.ESCAPE))
            presses = presses[1:]
        self._left_waiting = not presses
        return [*keys, *decoded(presses)]

    def flush(self) -> list[Key]:
        self._left_waiting = False
        return list(decoded(self._input.flush_keys()))

    @property
    def closed(self) -> bool:
        return self._input.closed
