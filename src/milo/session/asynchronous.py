"""arun: a pipeline run from an asyncio program, on its loop and without blocking it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from operator import methodcaller
from typing import TypeVar, cast

from milo.execution.loops import LoopCoroutines
from milo.mask import mask_of
from milo.pipeline import Pipeline, PipelineState
from milo.session.arguments import check_arguments, check_declaration
from milo.session.grace import MARGIN_S
from milo.session.programs import Durability, hints_for_programs, part_of, recorded
from milo.session.session import RunResult, Session
from milo.session.workers import released_on_error, workers_for

__all__ = ["AsyncSession", "arun"]

T = TypeVar("T")

_AT_HAND = (None, "threads", "processes")


class AsyncSession(Session):
    """A Session whose waiter is a coroutine."""

    _loop: asyncio.AbstractEventLoop | None = None

    def cancel(self) -> None:
        """Ask the run to end as `cancelled`. Returns at once, from any thread and from a signal handler."""
        super().cancel()
        if self._loop is not None:
            # A loop that was closed meanwhile has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.cancel_now)

    async def arun(self) -> RunResult:
        """Run to the end without blocking the event loop. Cancelling the task cancels the run."""
        self.refuse_again()
        self._loop = loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        try:
            task = self.start()
        except BaseException:
            self._call_off()
            raise
        task.on_done(partial(_tell_loop, loop, ended))
        try:
            await ended.wait()
        except asyncio.CancelledError:
            self.cancel_now()
            # A second cancellation does not wait for the rest either.
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(ended.wait(), self.grace + MARGIN_S)
            await _beside(partial(self.finish, task))
            raise
        return await _beside(partial(self.finish, task))


async def _beside(work: Callable[[], T], discard: Callable[[T], object] = lambda value: None) -> T:
    """Do something on a thread of its own: the loop's default executor may be busy, or never get to it.

    Args:
        work: What to do.
        discard: Given what came of it if nobody waits for that any more.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def do() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as raised:  # noqa: BLE001 - raised again where it is awaited
            error = raised
        try:
            loop.call_soon_threadsafe(_settle, outcome, value, error, discard)
        except RuntimeError:
            # The loop was closed meanwhile: nobody waits.
            if value is not None:
                discard(value)

    # What the caller's context says of where this runs counts for the work as well.
    inside = partial(copy_context().run, do)
    threading.Thread(target=inside, name="milo-beside", daemon=True).start()
    return await outcome


def _settle(
    future: asyncio.Future[T],
    value: T | None,
    error: BaseException | None,
    discard: Callable[[T], object],
) -> None:
    if not future.done():
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(T, value))
    elif value is not None:
        discard(value)


def _tell_loop(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    # A loop that was closed meanwhile has nobody who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended.set)


async def arun(
    pipeline: Pipeline,
    *,
    max_workers: int | None = None,
    executor: object = None,
    keep_going: bool = False,
    only: Iterable[str] = (),
    on_state: Callable[[PipelineState], object] | None = None,
    journal: str | os.PathLike[str] | None = None,
    resume: str | bool | None = None,
    grace: float = 5.0,
    mask: Iterable[str] = (),
    durability: Durability = "process",
    serializer: str = "",
) -> RunResult:
    """Like `run`, for asyncio programs.

    Async handlers run on the caller's loop, and cancelling the task cancels the run.
    """
    loop = asyncio.get_running_loop()
    check_arguments(pipeline, max_workers, grace, on_state)
    hidden = mask_of(mask, os.environ)
    check_declaration(pipeline, hidden)
    pipeline, only = part_of(pipeline, only)
    make = partial(workers_for, executor, pipeline, max_workers=max_workers, coroutines=LoopCoroutines(loop))
    # A cluster takes its time to start or to answer, which the loop has not.
    workers = make() if executor in _AT_HAND else await _beside(make, methodcaller("close"))
    with hints_for_programs():
        with released_on_error(workers):
            session = AsyncSession(
                pipeline,
                executor=workers,
                keep_going=keep_going,
                on_state=on_state,
                grace=grace,
                mask=hidden,
                recording=recorded(pipeline, only, journal, resume, durability, serializer),
            )
        return await session.arun()
