"""Coroutines on an asyncio event loop; a program that has none never pays for asyncio's import."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any

from milo.saga.effects import SagaCancelled
from milo.saga.ports import Job

__all__ = ["LoopCoroutines", "serve"]

_CLEANUP_S = 1.0


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


def serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, then give its tasks a second to clean up, and close it."""
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
