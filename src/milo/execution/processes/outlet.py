"""Outlet: one stream of a worker process, on its way to the phase that runs there."""

from __future__ import annotations

from milo.execution.framing import Unframed
from milo.execution.lines import LineSplitter, current_sink, utf8_decoder
from milo.execution.placement import Work, WorkerError
from milo.execution.streams import pass_through
from milo.saga.ports import Job

__all__ = ["Outlet"]


class Outlet:
    """What is printed becomes log lines if the phase's output is captured and passes through if not; milo's own
    lines between it are log lines in any case.

    Args:
        stream: "stdout" or "stderr".
        mark: Tells milo's lines.

    Attributes:
        last: The last line that was printed.
    """

    def __init__(self, stream: str, mark: bytes) -> None:
        self._stream = stream
        self._unframed = Unframed(mark)
        self._decoder = utf8_decoder()
        self._splitter = LineSplitter()
        self._owner: tuple[Work, Job] | None = None
        self._fresh = True
        self.last = ""

    def open(self, work: Work, job: Job) -> None:
        """Let what comes from now on be an attempt's."""
        self._owner = (work, job)

    def take(self, data: bytes) -> None:
        """Hand out what was read."""
        self._fresh = False
        for printed, line in self._unframed.feed(data):
            if line is None:
                self._print(self._decoder.decode(printed))
            else:
                self._emit([line])

    def close(self) -> None:
        """The attempt has ended: hand out its unfinished line."""
        if not self._fresh:
            self._print(self._decoder.decode(self._unframed.flush(), True))
            self._decoder.reset()
            self._give(self._splitter.flush())
            self._fresh = True
        self._owner = None

    def _print(self, text: str) -> None:
        if not text:
            return
        if self._owner is not None and self._owner[0].capture:
            self._give(self._splitter.feed(text))
            return
        self.last = text.strip().rpartition("\n")[2] or self.last
        try:
            pass_through(self._stream, text)
        except (OSError, ValueError) as reason:
            raise WorkerError(
                f"What was printed in a worker process cannot be passed on to {self._stream}: {reason}.",
                hint="With capture_output=True it becomes log lines instead.",
            ) from reason

    def _give(self, lines: list[str]) -> None:
        if lines:
            self.last = lines[-1] or self.last
            self._emit(lines)

    def _emit(self, lines: list[str]) -> None:
        if self._owner is None:
            return
        work, job = self._owner
        # Whoever prints because of a line is not captured: it would feed itself for ever.
        token = current_sink.set(None)
        try:
            for line in lines:
                work.emit(job, self._stream, line)
        finally:
            current_sink.reset(token)
