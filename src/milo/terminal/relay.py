"""The relay: carries signals from wherever they strike to the event loop of a view."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["ENDING", "SignalRelay", "can_be_stopped", "stop_this_job"]


def _signals(*names: str) -> tuple[signal.Signals, ...]:
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


ENDING = _signals("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""The signals by which a person, a supervisor or a closed window ends a program."""

_HEARD = (*ENDING, *_signals("SIGTSTP", "SIGCONT", "SIGWINCH"))


class SignalRelay:
    """Notes signals, and wakes whoever takes them.

    Only the main thread can be told of signals; elsewhere the program around has to see to them.
    """

    def __init__(self) -> None:
        self._arrived: list[int] = []
        self._wake: Callable[[], object] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the signals as long as the block lasts; what was ignored on purpose (nohup) stays ignored."""
        before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in _HEARD:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wake_with(self, wake: Callable[[], object] | None) -> None:
        """Call `wake`, from a signal handler, when there is something to take; at once if there is."""
        self._wake = wake
        if wake is not None and self._arrived:
            wake()

    def take(self) -> list[int]:
        """The signals since the last time."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def pass_on(self) -> None:
        """Let a signal that came too late for anybody to take do what it would have done; call it after listening."""
        for number in self.take():
            if number in ENDING:
                signal.raise_signal(number)

    def _note(self, number: int, frame: object) -> None:
        self._arrived.append(number)
        if self._wake is not None:
            self._wake()


def can_be_stopped() -> bool:
    """Whether Ctrl-Z can mean anything here: there is such a signal, it is not ignored, and this is the main thread."""
    return (
        hasattr(signal, "SIGTSTP")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN
    )


def stop_this_job() -> None:
    """Stop this process and its group, as Ctrl-Z in a plain terminal does; returns when it goes on."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(0, signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)
