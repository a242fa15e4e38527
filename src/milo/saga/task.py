"""SagaTask: a saga that was started, and the handle on what becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from milo.saga.effects import Saga
    from milo.saga.runner import SagaRunner

__all__ = ["Cancellable", "Owner", "SagaTask"]

_making_event = threading.Lock()


class Cancellable(Protocol):
    """What a task waits for, so that it can be told when nobody waits any more."""

    def cancel(self) -> float | None:
        """Returns for how many seconds it is worth waiting until it has ended; nothing when it has."""


class Owner(Protocol):
    """Who is told when a task ends; it takes over the task's error."""

    def settled(self, task: SagaTask) -> None: ...


class SagaTask:
    """A running saga. Everything but the public methods belongs to the runner, under its baton."""

    __slots__ = (
        "_callbacks",
        "_done",
        "_event",
        "cancelling",
        "children",
        "debounced",
        "ended",
        "epoch",
        "error",
        "generator",
        "id",
        "interruption",
        "joiners",
        "owner",
        "runner",
        "value",
        "wait",
        "was_cancelled",
    )

    def __init__(self, runner: SagaRunner, generator: Saga, number: int, owner: Owner | None) -> None:
        self.runner = runner
        self.generator = generator
        self.id = number
        self.owner = owner
        # Each wait has its number; a completion that carries an older one comes too late and is dropped.
        self.epoch = 0
        self.wait: Cancellable | None = None
        # What is thrown into the saga once the Call that it waits for has been given time to end.
        self.interruption: BaseException | None = None
        self.children: dict[SagaTask, None] | None = None
        self.joiners: list[tuple[SagaTask, int]] | None = None
        self.debounced: SagaTask | None = None
        self.cancelling = False
        self.ended = False
        self.was_cancelled = False
        self.value: Any = None
        self.error: BaseException | None = None
        self._done = False
        self._callbacks: list[Callable[[], None]] | None = None
        self._event: threading.Event | None = None

    def __repr__(self) -> str:
        state = "running"
        if self._done:
            state = "cancelled" if self.was_cancelled else "failed" if self.error is not None else "done"
        return f"<SagaTask {self.id} {state}>"

    @property
    def workers(self) -> int:
        """How many Calls can run at once where this saga runs."""
        return self.runner.executor.workers

    def done(self) -> bool:
        """Whether the saga and everything attached to it has ended."""
        return self._done

    def cancelled(self) -> bool:
        """Whether it ended by being cancelled."""
        return self._done and self.was_cancelled

    def cancel(self) -> None:
        """Ask the saga to end: SagaCancelled is thrown where it waits. Returns at once, from any thread."""
        self.runner.cancel(self)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and return the saga's result.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: It had not ended by then.
            concurrent.futures.CancelledError: It was cancelled.
            StateError: Called from inside a saga, which would wait for itself; yield Join instead.
            BaseException: Whatever ended the saga.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self.value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end and return the error that ended the saga, or None. Raises like `result` otherwise."""
        self.wait_done(timeout)
        if self.was_cancelled:
            raise _cancelled_error()
        return self.error

    def wait_done(self, timeout: float | None = None) -> None:
        """Wait for the end, whatever it is. Raises TimeoutError and StateError like `result`."""
        if self._done:
            return
        self.runner.refuse_inside_saga("wait for a saga")
        with _making_event:
            if self._event is None:
                self._event = threading.Event()
        # The event was there before this look, or the end was: one of the two is seen.
        if not self._done and not self._event.wait(timeout):
            raise TimeoutError(f"Saga {self.id} has not ended after {timeout} s.")

    def outcome(self) -> tuple[Any, BaseException | None]:
        """What an ended task answers to Join: its value and its error."""
        return (None, _cancelled_error()) if self.was_cancelled else (self.value, self.error)

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the task has ended, at once if it has; it must neither block nor raise."""
        with _making_event:
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append(callback)
        # It is registered before this look, so that either this or the end sees it.
        if self._done:
            self._call_back()

    def _call_back(self) -> None:
        with _making_event:
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()

    def set_done(self) -> None:
        """Release whoever waits; only the runner calls this."""
        self._done = True
        if self._callbacks is not None:
            self._call_back()
        event = self._event
        if event is not None:
            event.set()


def _cancelled_error() -> BaseException:
    # Imported here: it brings logging along, and few programs cancel anything.
    from concurrent.futures import CancelledError

    return CancelledError()
