"""Ctrl-C and SIGTERM: the first ends the run in order, the second Ctrl-C ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "stopping_on_signals"]

INTERRUPTED = 130
"""The exit status of a run that was interrupted."""

_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def stopping_on_signals(cancel: Callable[[], None], *, terminal: int | None = None) -> Iterator[None]:
    """Cancel the run on the first signal, as long as the block lasts.

    Args:
        cancel: Called from the signal handler, so it may only wake somebody.
        terminal: The file descriptor of a terminal whose cursor must come back; None where none was hidden.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; elsewhere the program around us owns them.
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            _leave(terminal)
        asked = True
        cancel()

    before: dict[signal.Signals, Any] = {}
    for number in _SIGNALS:
        # What was ignored on purpose (nohup, a background job) stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(terminal: int | None) -> None:
    if terminal is not None:
        try:
            os.write(terminal, _SHOW_CURSOR + b"\r\n")
        except OSError:
            # The terminal is gone, and with it the cursor.
            terminal = None
    os._exit(INTERRUPTED)
