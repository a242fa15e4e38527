"""Lines: what is written in pieces, as text or as bytes, becomes whole lines of its stream."""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Callable
from contextvars import ContextVar

__all__ = ["MAX_LINE", "LineSink", "LineSplitter", "current_sink", "utf8_decoder"]

MAX_LINE = 16 * 1024 * 1024
"""The longest line in characters; a longer one is given out in pieces of this length, so that memory is bounded."""

_RETURNS_BEFORE_NEWLINE = re.compile(r"(?<!\r)\r++\n")

_decoder = codecs.getincrementaldecoder("utf-8")


def utf8_decoder() -> codecs.IncrementalDecoder:
    """A decoder for UTF-8 that comes in pieces; what is invalid becomes U+FFFD."""
    return _decoder("replace")


class LineSplitter:
    r"""Cuts the text of one stream into lines, the same ones whatever pieces it comes in, in linear time.

    ``\n``, ``\r\n``, ``\r\r\n`` and a lone ``\r`` end a line, so that a progress bar which returns to the start of its
    line is seen as it moves. A ``\r`` on an empty line gives nothing by itself.

    Attributes:
        pieces: The unfinished line: a list, since joining once keeps a long line that comes in small pieces linear.
        returned: Whether a return has ended the last line: a newline straight after it belongs to the same end.
    """

    __slots__ = ("_length", "pieces", "returned")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._length = 0
        self.returned = False

    def feed(self, text: str) -> list[str]:
        """Take what comes next; returns the lines that it completes, without their ends."""
        if self.returned:
            text = self._after_return(text)
        elif text == "\n":
            # What print() writes last.
            return [self._taken()]
        if "\n" not in text and "\r" not in text:
            if text:
                self.pieces.append(text)
                self._length += len(text)
                if self._length > MAX_LINE:
                    return self._keep(self._taken())
            return []
        if self.pieces:
            self.pieces.append(text)
            text = self._taken()
        lines = text.split("\n") if "\r" not in text else self._split_returns(text)
        rest = lines.pop()
        if len(text) > MAX_LINE:
            return [*_in_pieces(lines), *self._keep(rest)]
        if rest:
            self.pieces.append(rest)
            self._length = len(rest)
        return lines

    def flush(self) -> list[str]:
        """The unfinished line, if there is one; what comes next begins a new one."""
        self.returned = False
        text = self._taken()
        return [text] if text else []

    def _after_return(self, text: str) -> str:
        text = text.lstrip("\r")
        if text:
            self.returned = False
        return text.removeprefix("\n")

    def _split_returns(self, text: str) -> list[str]:
        """Like ``text.split("\\n")``, with what a return ends as a line of its own."""
        *whole, rest = _RETURNS_BEFORE_NEWLINE.sub("\n", text).split("\n")
        lines: list[str] = []
        for line in whole:
            *returned, last = line.split("\r")
            lines += filter(None, returned)
            lines.append(last)
        *returned, last = rest.split("\r")
        given = list(filter(None, returned))
        self.returned = bool(given) and not last
        return [*lines, *given, last]

    def _keep(self, text: str) -> list[str]:
        """Keep the end of an unfinished line that is too long; returns the pieces before it."""
        *pieces, rest = _in_pieces([text])
        self.pieces = [rest] if rest else []
        self._length = len(rest)
        return pieces

    def _taken(self) -> str:
        pieces, self.pieces, self._length = self.pieces, [], 0
        return "".join(pieces)


def _in_pieces(lines: list[str]) -> list[str]:
    return [line[at : at + MAX_LINE] for line in lines for at in range(0, max(1, len(line)), MAX_LINE)]


current_sink: ContextVar[LineSink | None] = ContextVar("milo_current_sink", default=None)
"""Where the running code's output goes; None lets it pass through. Follows it into copied contexts."""


class LineSink:
    """Turns what one attempt writes into whole lines.

    Each thread's unfinished line is kept apart, so that lines of threads which print at the same time do not mix.
    Thread-safe: a thread only touches its own unfinished lines, and `flush` takes each of them at once. Whatever
    prints because a line was emitted (a listener that draws progress) is not captured itself.

    Args:
        emit: Called with (stream, line) for each whole line, without its end.
    """

    __slots__ = ("_decoders", "_emit", "_unfinished")

    def __init__(self, emit: Callable[[str, str], None]) -> None:
        self._emit = emit
        self._unfinished: dict[tuple[str, int], LineSplitter] = {}
        self._decoders: dict[tuple[str, int], codecs.IncrementalDecoder] = {}

    def write(self, stream: str, text: str) -> None:
        """Take what was written to `stream`, a newline at the end of it or not."""
        key = (stream, threading.get_ident())
        # Taken out while it is fed: `flush` then never takes what is only half of it.
        splitter = self._unfinished.pop(key, None) or LineSplitter()
        lines = splitter.feed(text)
        if splitter.pieces or splitter.returned:
            self._unfinished[key] = splitter
        if lines:
            self._give(stream, lines)

    def write_bytes(self, stream: str, data: bytes) -> None:
        """Like `write`, for bytes; what is not UTF-8 becomes U+FFFD."""
        key = (stream, threading.get_ident())
        decoder = self._decoders.get(key)
        if decoder is None:
            decoder = self._decoders[key] = utf8_decoder()
        self.write(stream, decoder.decode(data))

    def flush(self) -> None:
        """Give out what was written without a final newline, in the order in which it was begun."""
        for key in list(self._decoders):
            decoder = self._decoders.pop(key, None)
            rest = decoder.decode(b"", True) if decoder is not None else ""
            if rest:
                lines = self._unfinished.setdefault(key, LineSplitter()).feed(rest)
                self._give(key[0], lines)
        for key in list(self._unfinished):
            splitter = self._unfinished.pop(key, None)
            if splitter is not None:
                self._give(key[0], splitter.flush())

    def _give(self, stream: str, lines: list[str]) -> None:
        token = current_sink.set(None)
        try:
            for line in lines:
                self._emit(stream, line)
        finally:
            current_sink.reset(token)
