"""Where coroutines are awaited: an event loop of milo's own in a thread, started when there is one to await."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from milo.saga.ports import Job

if TYPE_CHECKING:
    import asyncio

    from milo.execution.loops import LoopCoroutines

__all__ = ["CoroutineThread", "Coroutines"]


class Coroutines(Protocol):
    """Awaits the coroutines that handlers return."""

    def run(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await `coroutine` in a copy of the current context and deliver its outcome to `job`."""

    def close(self) -> None:
        """Stop what this object has started."""


class CoroutineThread:
    """A daemon thread with an event loop of its own, started with the first coroutine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._coroutines: LoopCoroutines | None = None

    def run(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        with self._lock:
            if self._coroutines is None:
                self._coroutines = self._start()
        self._coroutines.run(job, coroutine)

    def _start(self) -> LoopCoroutines:
        # Imported here: asyncio takes longer to load than all of milo, and most pipelines have no coroutines.
        import asyncio

        from milo.execution.loops import LoopCoroutines, serve

        self._loop = asyncio.new_event_loop()
        threading.Thread(target=serve, args=(self._loop,), name="milo-asyncio", daemon=True).start()
        return LoopCoroutines(self._loop)

    def close(self) -> None:
        with self._lock:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._loop.stop)
