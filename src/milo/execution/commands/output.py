"""What a command writes, on its way to its phase: bytes become lines, and the last or all of them are kept."""

from __future__ import annotations

from collections import deque

from milo.execution.current import CurrentPhase
from milo.execution.lines import LineSplitter, current_sink, utf8_decoder
from milo.execution.streams import pass_through

__all__ = ["CommandOutput"]

_LAST_LINES = 10
_STREAMS = ("stdout", "stderr")


class CommandOutput:
    """Makes lines of a command's output: for its phase, or else for this process's own streams.

    Args:
        phase: Whose log lines they become; None outside a phase.
        keep: Whether all that is written is kept, and not only the last lines.

    Attributes:
        last: The last lines of both streams, as they came.
    """

    def __init__(self, phase: CurrentPhase | None, *, keep: bool) -> None:
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        self._phase = phase
        self._keep = keep
        self._kept: dict[str, list[str]] = {stream: [] for stream in _STREAMS}
        self._lines: dict[str, deque[str]] = {stream: deque(maxlen=_LAST_LINES) for stream in _STREAMS}
        self._settled = False
        self._decoders = {stream: utf8_decoder() for stream in _STREAMS}
        self._splitters = {stream: LineSplitter() for stream in _STREAMS}

    def take(self, stream: str, data: bytes) -> None:
        """Give out the lines that `data` completes; nothing (``b""``) ends the stream."""
        text = self._decoders[stream].decode(data, not data)
        splitter = self._splitters[stream]
        lines = splitter.feed(text)
        if not data:
            lines += splitter.flush()
        if self._keep and not self._settled:
            self._kept[stream].append(text)
        if lines:
            self._give(stream, lines)

    def settle(self) -> None:
        """The command has ended: its unfinished lines are given out, and what others write is not kept any more."""
        if self._settled:
            return
        for stream in _STREAMS:
            self._give(stream, self._splitters[stream].flush())
        self._settled = True

    def text(self, stream: str) -> str:
        """What is kept of a stream: all of it, or the last lines."""
        return "".join(self._kept[stream]) if self._keep else "\n".join(self._lines[stream])

    def _give(self, stream: str, lines: list[str]) -> None:
        if not self._settled:
            self.last.extend(lines)
            self._lines[stream].extend(lines)
        if self._phase is None:
            pass_through(stream, "".join(f"{line}\n" for line in lines))
            return
        # Whoever prints because of a line is not captured: it would feed itself for ever.
        token = current_sink.set(None)
        try:
            for line in lines:
                self._phase.emit(stream, line)
        finally:
            current_sink.reset(token)
