"""Where coroutines are awaited: milo's own event loop in a thread, or the loop of the program that called."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any, Protocol

from milo.saga.effects import SagaCancelled
from milo.saga.ports import Job

__all__ = ["CoroutineThread", "Coroutines", "LoopCoroutines"]

_CLEANUP_S = 1.0


class Coroutines(Protocol):
    """Awaits the coroutines that handlers return."""

    def run(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await `coroutine` in a copy of the current context and deliver its outcome to `job`."""

    def close(self) -> None:
        """Stop what this object has started."""


class LoopCoroutines:
    """Awaits on an event loop that runs already, in whatever thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks only weakly

    def run(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        context = copy_context()
        try:
            self._loop.call_soon_threadsafe(self._start, job, coroutine, context)
        except RuntimeError:
            coroutine.close()
            raise

    def _start(self, job: Job, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        if job.cancelled:
            # A task that is cancelled before its first step would never say that it has ended.
            coroutine.close()
            job.deliver(None, asyncio.CancelledError())
            return
        task = self._loop.create_task(_deliver(job, coroutine), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        job.on_cancel(lambda: self._cancel(task))

    def _cancel(self, task: asyncio.Task[None]) -> None:
        # A loop that was closed meanwhile has cancelled or dropped its tasks already.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """The loop is the caller's and goes on."""


async def _deliver(job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
    # Everything is caught: asyncio lets SystemExit and KeyboardInterrupt of a task end the whole loop.
    value: Any = None
    error: BaseException | None = None
    try:
        value = await coroutine
    except (GeneratorExit, SagaCancelled) as raised:
        # Thrown into a saga they would mean that the saga itself is dropped or cancelled.
        value, error = None, RuntimeError(f"The coroutine raised {type(raised).__name__}.")
        error.__cause__ = raised
    except BaseException as raised:  # noqa: BLE001 - it belongs to the saga that asked
        value, error = None, raised
    job.deliver(value, error)


class CoroutineThread:
    """A daemon thread with an event loop of its own, started with the first coroutine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._coroutines: LoopCoroutines | None = None

    def run(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        with self._lock:
            if self._coroutines is None:
                self._loop = asyncio.new_event_loop()
                self._coroutines = LoopCoroutines(self._loop)
                threading.Thread(target=_serve, args=(self._loop,), name="milo-asyncio", daemon=True).start()
        self._coroutines.run(job, coroutine)

    def close(self) -> None:
        with self._lock:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._loop.stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_CLEANUP_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
