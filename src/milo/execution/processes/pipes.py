"""The pipes between a run and one of its worker processes: those ends that the worker gets, and those that stay."""

from __future__ import annotations

import os

from milo.execution.processes.link import Link, wide_pipe

__all__ = ["WorkerPipes"]

_LAST_STREAM = 2


class WorkerPipes:
    """Opened before the process is started.

    Attributes:
        errands: What the worker reads its attempts from.
        answers: What it writes outcomes to.
        cancels: What it reads the numbers of attempts from that shall end.
        writing: What it gets as its stdout and stderr.
        link: Our end of `errands` and `answers`.
        reading: Our ends of `writing`.
        telling: Our end of `cancels`.
        wake: Both ends of a pipe on which whoever attends to the worker is woken.

    Raises:
        OSError: There are too many already.
    """

    def __init__(self) -> None:
        self._theirs: list[int] = []
        self._ours: list[int] = []
        try:
            self.errands, sending = self._shared(wide_pipe(), ours=1)
            receiving, self.answers = self._shared(wide_pipe(), ours=0)
            self.cancels, self.telling = self._shared(os.pipe(), ours=1)
            outputs = [self._shared(os.pipe(), ours=0) for _ in ("stdout", "stderr")]
            self.wake = self._kept(os.pipe(), (self._ours, self._ours))
        except BaseException:
            self.hand_over()
            self.close()
            raise
        self.reading, self.writing = zip(*outputs, strict=True)
        self.link = Link(receiving, sending)
        for descriptor in (receiving, sending):
            self._ours.remove(descriptor)
        for descriptor in (*self.reading, self.wake[1]):
            os.set_blocking(descriptor, False)

    def _shared(self, ends: tuple[int, int], *, ours: int) -> tuple[int, int]:
        return self._kept(ends, (self._theirs, self._ours) if ours else (self._ours, self._theirs))

    def _kept(self, ends: tuple[int, int], owners: tuple[list[int], list[int]]) -> tuple[int, int]:
        """Note whose the ends of a pipe are, each before anything can fail; returns their numbers."""
        kept = []
        for end, owner in zip(ends, owners, strict=True):
            owner.append(end)
        for end, owner in zip(ends, owners, strict=True):
            owner.remove(end)
            kept.append(_above_streams(end))
            owner.append(kept[-1])
        return kept[0], kept[1]

    def hand_over(self) -> None:
        """The worker has its ends, or never will: without ours of them, its end is seen."""
        while self._theirs:
            os.close(self._theirs.pop())

    def close(self) -> None:
        """Close what is ours but for the link, which is closed by itself."""
        while self._ours:
            os.close(self._ours.pop())


def _above_streams(end: int) -> int:
    """The same end with a number that no standard stream has: those of a program that was started without are free."""
    if end > _LAST_STREAM:
        return end
    import fcntl  # not on Windows, where this module is imported as well

    try:
        return fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _LAST_STREAM + 1)
    finally:
        os.close(end)
