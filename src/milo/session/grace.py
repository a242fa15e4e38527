"""Grace: how long a run that was cancelled still has, and the end of what its commands have started."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from functools import partial

from milo.execution.groups import ProcessGroups

__all__ = ["LONGEST_S", "MARGIN_S", "Grace"]

# What was told to end gets the grace, and then the sagas this long to say so.
MARGIN_S = 0.5
# Eleven days: no system call takes a wait of more than twice that.
LONGEST_S = 1e6


class Grace:
    """The time that a run has for its end, once that has begun; for the thread that waits for the run.

    Args:
        seconds: How long what was told to end may take.
        groups: The process groups that the run has started.
    """

    def __init__(self, seconds: float, groups: ProcessGroups) -> None:
        self._seconds = seconds
        self._groups = groups
        self._until = math.inf
        self._ending: threading.Thread | None = None

    def begin(self) -> None:
        """Let the time run; again is no more time."""
        if self._until == math.inf:
            self._until = time.monotonic() + self._seconds + MARGIN_S

    def hurry(self) -> None:
        """There is no more of it."""
        self._until = time.monotonic()

    @property
    def left_s(self) -> float | None:
        """Seconds that are left of it; None before it has begun."""
        if self._until == math.inf:
            return None
        return max(0.0, self._until - time.monotonic())

    def end_groups_beside(self) -> None:
        """End what commands have left behind while the handlers are told; those that run are ended by both.

        A handler that has not been told yet may start one more: it is ended when the handler is.
        """
        end = partial(self._groups.end, self._seconds)
        ending = threading.Thread(target=end, name="milo-ending", daemon=True)
        # Where the system refuses a thread they are ended after the handlers instead.
        with contextlib.suppress(RuntimeError):
            ending.start()
            self._ending = ending

    def end_groups(self) -> None:
        """Leave no process behind: with time to end after a run that came to its end, else with what is left of it."""
        if self._until == math.inf:
            self._groups.close(self._seconds)
            return
        try:
            if self._ending is not None:
                self._ending.join(self.left_s)
        finally:
            self._groups.close(0.0)
