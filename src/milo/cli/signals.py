"""Ctrl-C and SIGTERM for a process that is milo's own: from its first import to its last line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from milo.signals import ENDING

__all__ = ["INTERRUPTED", "ProcessSignals"]

INTERRUPTED = 130
"""The exit status of a run that was interrupted."""

_SHOW_CURSOR = b"\x1b[?25h"


class ProcessSignals:
    """What an ending signal does to the process, from when it is made.

    Before a run it ends the process, and in a run it cancels; a second Ctrl-C ends the process at once. After the
    run there is nothing left to end: its status stands.
    """

    def __init__(self) -> None:
        self._asked = False
        self._run_over = False
        self._cancel: Callable[[], None] | None = None
        self._hurry: Callable[[], None] | None = None
        self._terminal: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal has come before there was a run that it could cancel."""
        return self._asked and self._cancel is None

    def install(self) -> None:
        """Take the signals over; only the main thread can."""
        for number in ENDING:
            # What was ignored on purpose (nohup, a background job) stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def let_go(self) -> None:
        """Ignore what still comes: the process is about to end, and its status stands."""
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def cancelling(
        self, cancel: Callable[[], None], hurry: Callable[[], None], terminal: int | None
    ) -> Iterator[None]:
        """Cancel a run on the first signal, as long as the block lasts.

        Args:
            cancel: Called from the signal handler, so it may only wake somebody.
            hurry: Called before the process ends at once; likewise.
            terminal: The file descriptor of a terminal whose cursor must come back; None where none was hidden.
        """
        self._hurry, self._terminal = hurry, terminal
        self._cancel = cancel
        if self._asked:
            # What loaded the pipeline has swallowed the interrupt.
            cancel()
        try:
            yield
        finally:
            self._run_over = True

    def cancel(self) -> None:
        """Cancel the run as a first signal does: a Ctrl-C after this one does not wait."""
        if self._asked or self._run_over or self._cancel is None:
            return
        self._asked = True
        self._cancel()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            self._leave()
        if self._asked or self._run_over:
            self._asked = True
            return
        self._asked = True
        if self._cancel is None:
            raise KeyboardInterrupt
        self._cancel()

    def _leave(self) -> None:
        if self._hurry is not None:
            self._hurry()
        if self._terminal is not None:
            try:
                os.write(self._terminal, _SHOW_CURSOR + b"\r\n")
            except OSError:
                # The terminal is gone, and with it the cursor.
                self._terminal = None
        os._exit(INTERRUPTED)
