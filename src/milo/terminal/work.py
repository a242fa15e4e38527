"""The work of an App: a store that knows which of its sagas still run, and ends them with the App."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from milo.saga.effects import SagaSource
from milo.saga.task import SagaTask
from milo.store import Store

__all__ = ["WorkStore"]

_SILENT_S = 0.5


class WorkStore(Store):
    """A store that remembers the sagas that were run on it until they have ended.

    Attributes:
        tasks: Those that have not ended.
        when_done: Called whenever one has ended, from any thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.tasks: set[SagaTask] = set()
        self.when_done: Callable[[], None] = lambda: None
        super().__init__(*args, **kwargs)

    def run_saga(self, saga: SagaSource) -> SagaTask:
        """Start a saga, a generator or a callable that returns one; returns its task at once."""
        task = super().run_saga(saga)
        self.tasks.add(task)
        task.on_done(partial(self._ended, task))
        return task

    def _ended(self, task: SagaTask) -> None:
        self.tasks.discard(task)
        self.when_done()

    def end(self, grace: float) -> None:
        """Cancel what still runs, let it clean up for `grace` seconds at most, and shut the store down."""
        tasks = list(self.tasks)
        give_up = time.monotonic() + grace
        try:
            for task in tasks:
                task.cancel()
            if not _all_ended(tasks, min(give_up, time.monotonic() + _SILENT_S)):
                _say("Waiting for what still runs to end; Ctrl-C does not wait.\n")
                # What does not end is left behind: it runs on daemon threads.
                _all_ended(tasks, give_up)
        finally:
            self.shutdown()


def _all_ended(tasks: Iterable[SagaTask], give_up: float) -> bool:
    """Wait for the end of all tasks until the monotonic time `give_up`; whether all have ended."""
    try:
        for task in tasks:
            task.wait_done(max(0.0, give_up - time.monotonic()))
    except TimeoutError:
        return False
    return True


def _say(text: str) -> None:
    try:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(text)
            sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody is there any more who could be told.
        return
