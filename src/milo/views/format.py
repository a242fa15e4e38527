"""What several views share: colours, and a stream that survives its reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TextIO

from milo.text import strip_sgr

__all__ = ["MOST_NAMED", "Output", "Painter", "kept_output", "some"]

MOST_NAMED: Final = 20
"""How many phases a sentence names."""

_RESET = "\x1b[0m"
_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


class Painter:
    """Colours text, or leaves it alone where colour is not wanted.

    Args:
        color: Whether colour sequences may be written.
    """

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, *styles: str) -> str:
        """Wrap `text` in the named styles (red, green, yellow, cyan, bold, dim)."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}{_RESET}"

    def foreign(self, text: str) -> str:
        """Keep the colours of a phase's own text from running into ours, or drop them."""
        if "\x1b" not in text:
            return text
        return text + _RESET if self.color else strip_sgr(text)


# What views draw with, for streams that cannot show it; one cell for one, so that columns stay columns.
_PLAIN = str.maketrans("✓✗↷■▸↻…", "+x>#>~.")


class Output:
    """A text stream that neither a closed pipe nor a narrow encoding can turn into an exception.

    Args:
        stream: Where to write; it is flushed after every write, so that a pipe's reader sees it at once.

    Attributes:
        broken: Whether the reader is gone, or nothing can be written; everything from then on is dropped.
        error: Why nothing can be written though a reader is there, such as a full disk; None where that is not so.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.broken = False
        self.error: OSError | None = None
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if self.broken or not text:
            return len(text)
        try:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                plain = text.translate(_PLAIN)
                self._stream.write(plain.encode(self.encoding, "backslashreplace").decode(self.encoding))
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            # The reader left, or the stream was closed: nobody is there who could be told.
            self.broken = True
        except OSError as error:
            # Whoever made this output says so, once; what is shown must not end what it shows.
            self.broken, self.error = True, error
        return len(text)

    def flush(self) -> None:
        """Nothing is held back; here because stream users call it."""

    def isatty(self) -> bool:
        return not self.broken and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def kept_output(*, cut: bool) -> str:
    """What a file holds of a phase's output.

    Args:
        cut: Whether lines may be missing at its end: the disk was full, or nobody was there any more to write them.
    """
    return "what was kept of it" if cut else "all of it"


def some(names: Sequence[str]) -> str:
    """Names for a sentence: the first twenty, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
