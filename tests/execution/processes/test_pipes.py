"""The pipes to a worker process, and how few of them may be left when there are no more to be had."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from milo.execution.processes.pipes import WorkerPipes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


class Pipes:
    """Stands before os.pipe: counts what is open, and fails after as many pipes as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.open: set[int] = set()
        self._left = most
        self._pipe, self._close = os.pipe, os.close
        monkeypatch.setattr("os.pipe", self.pipe)
        monkeypatch.setattr("os.close", self.close)

    def pipe(self) -> tuple[int, int]:
        if not self._left:
            raise OSError(errno.EMFILE, "Too many open files")
        self._left -= 1
        ends = self._pipe()
        self.open.update(ends)
        return ends

    def close(self, descriptor: int) -> None:
        self.open.remove(descriptor)
        self._close(descriptor)


@pytest.mark.parametrize("most", range(6))
def test_none_is_left_open_where_the_system_has_no_more(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pipes = Pipes(monkeypatch, most)
    with pytest.raises(OSError, match="Too many open files"):
        WorkerPipes()
    assert pipes.open == set()


def test_each_end_is_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pipes = Pipes(monkeypatch, 6)
    made = WorkerPipes()
    assert len(pipes.open) == 12
    for _ in range(2):
        made.hand_over()
        made.link.close()
        made.close()
    assert pipes.open == set()
