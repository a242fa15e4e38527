"""Signals that end a run: the first asks for the end, a second Ctrl-C does not wait for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from milo.errors import StateError

__all__ = ["ENDING", "check_signals_here", "stopping_on_signals"]

ENDING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals by which a user, a supervisor or a closed terminal ends a program."""


def check_signals_here() -> None:
    """Raise StateError unless this is the main thread, in which alone signals can be handled."""
    if threading.current_thread() is not threading.main_thread():
        raise StateError(
            "Signals can be handled in the main thread only.",
            hint="Leave handle_signals out in other threads.",
        )


@contextmanager
def stopping_on_signals(first: Callable[[], None], again: Callable[[], None]) -> Iterator[None]:
    """Answer the ending signals as long as the block lasts.

    Both functions are called from a signal handler, in the middle of anything: they may only wake somebody.

    Args:
        first: Called at the first signal.
        again: Called at each Ctrl-C after it.

    Raises:
        StateError: This is not the main thread.
    """
    check_signals_here()
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            first()
        elif number == signal.SIGINT:
            again()

    before: dict[signal.Signals, Any] = {}
    for number in ENDING:
        # What was ignored on purpose (nohup, a background job) stays ignored, and what was not installed from Python
        # could not be put back.
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
