"""A wire: the process's own stdout kept for one protocol, all that is printed elsewise sent to stderr as safe lines."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from milo.execution.streams import flush
from milo.text import safe_line

__all__ = ["stdout_for_json"]

_DRAIN_S = 1.0


@contextmanager
def stdout_for_json(mask: Callable[[str], str], encoding: str = "ascii") -> Iterator[TextIO]:
    """Give the real stdout to the caller alone; what else is written to descriptors 1 and 2 goes to stderr.

    Args:
        mask: Applied to each line that goes to stderr.
        encoding: Of what the caller writes.

    Yields:
        The real stdout.
    """
    flush()
    wire_fd, stderr_fd = os.dup(1), os.dup(2)
    for number in (wire_fd, stderr_fd):
        os.set_inheritable(number, False)
    pumps = [_Pump(1, stderr_fd, mask), _Pump(2, stderr_fd, mask)]
    wire = open(wire_fd, "w", encoding=encoding, closefd=False)  # noqa: SIM115  # closed below, whatever it raises
    try:
        yield wire
    finally:
        flush()
        os.dup2(wire_fd, 1)
        os.dup2(stderr_fd, 2)
        for pump in pumps:
            pump.join()
        _close(wire)
        os.close(wire_fd)
        if not any(pump.alive for pump in pumps):
            # A pump that waits for a process that lives on still needs it.
            os.close(stderr_fd)


class _Pump:
    """Takes over a file descriptor and copies its lines, made safe, to another."""

    def __init__(self, number: int, target: int, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._source, sink = os.pipe()
        os.dup2(sink, number)
        os.close(sink)
        self._target = target
        self._thread = threading.Thread(target=self._copy, name=f"milo-fd-{number}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until all is copied; not for ever, as a process that lives on may keep the pipe open."""
        self._thread.join(_DRAIN_S)

    def _copy(self) -> None:
        with open(self._source, encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                text = self._mask(safe_line(line.rstrip("\r\n")))
                self._write(text.encode("utf-8", "replace") + b"\n")

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._target, data) :]
        except OSError:
            # Nobody reads stderr any more; reading on keeps the writers from blocking.
            return


def _close(wire: TextIO) -> None:
    try:
        wire.close()
    except (OSError, ValueError):
        # The reader is gone; the lines it did not want are dropped.
        return
