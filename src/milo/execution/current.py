"""current_phase: what a handler may ask about the attempt that it is, from whatever thread or coroutine of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from milo.errors import PhaseCancelled, StateError
from milo.saga.ports import Job, current_job

__all__ = ["CurrentPhase", "PhaseWork", "current_phase", "phase_or_none"]


class PhaseWork(Protocol):
    """What the Call of an attempt calls, as far as this module has to know it."""

    @property
    def name(self) -> str: ...

    @property
    def number(self) -> int: ...

    @property
    def run_id(self) -> str: ...

    def emit(self, job: Job, stream: str, line: str) -> None: ...


class CurrentPhase:
    """The attempt that the running code belongs to. Every method may be called from any thread.

    Attributes:
        name: The phase.
        attempt: Which try it is, from 1.
    """

    __slots__ = ("_job", "_work", "attempt", "name")

    def __init__(self, job: Job, work: PhaseWork) -> None:
        self._job = job
        self._work = work
        self.name = work.name
        self.attempt = work.number

    def __repr__(self) -> str:
        return f"<CurrentPhase {self.name!r}, attempt {self.attempt}>"

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was cancelled or its time is up.

        A handler that has looked here is one that ends by itself: the run gives it the time it grants for that.
        """
        self._job.heeds = True
        return self._job.cancelled

    def check(self) -> None:
        """Raise PhaseCancelled if the attempt was cancelled or its time is up."""
        if self.cancelled:
            raise PhaseCancelled(f"Phase {self.name!r} was cancelled.")

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this phase in this run, and for no other."""
        return f"{self._work.run_id}:{self.name}"

    @property
    def grace_s(self) -> float:
        """Seconds that the attempt has for its ending once it is cancelled or its time is up."""
        return self._job.linger

    def log(self, line: object) -> None:
        """Make a log line of the phase (or several, at line ends), whether its output is captured or not."""
        for each in str(line).removesuffix("\n").split("\n"):
            self.emit("stdout", each)

    def emit(self, stream: str, line: str) -> None:
        """Make one log line of `stream`, "stdout" or "stderr"; nobody takes it once the attempt was given up."""
        self._work.emit(self._job, stream, line)

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once, from any thread, when the attempt is cancelled; at once if it has been.

        Returns:
            A function that takes it back. As long as it is registered, the run waits for the attempt's ending.
        """
        return self._job.on_cancel(callback)


def phase_or_none() -> CurrentPhase | None:
    """The attempt that the running code belongs to; None outside a handler that a run called."""
    job = current_job.get()
    if job is None or not hasattr(job.fn, "emit"):
        return None
    return CurrentPhase(job, cast(PhaseWork, job.fn))


def current_phase() -> CurrentPhase:
    """The attempt that the running code belongs to.

    Follows into coroutines, and into threads that were started through ``contextvars.copy_context()``.

    Raises:
        StateError: Called outside a handler, or in one that no run called.
    """
    phase = phase_or_none()
    if phase is None:
        raise StateError(
            "current_phase() was called outside a phase's handler.",
            hint="Call it in a handler that run() calls, or in a thread started through copy_context().",
        )
    return phase
