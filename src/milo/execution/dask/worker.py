"""On a Dask worker: a task that holds one of its threads for a while and runs there the attempts that a run sends."""

from __future__ import annotations

import asyncio
import os
import platform
import threading
import uuid
from contextvars import ContextVar
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from milo.execution.attending import cancel
from milo.execution.dask.held import DROPPED, Attempt, HeldThread, attempts
from milo.execution.dask.quiet import keep_own_log
from milo.version import VERSION

__all__ = ["BEGIN", "CANCEL", "MORE", "TOPIC", "hold", "holding", "process_here"]

TOPIC = "milo"
BEGIN, MORE, CANCEL = "milo_begin", "milo_more", "milo_cancel"

holding: ContextVar[str] = ContextVar("holding", default="")
"""In an attempt: the scheduler (its id) whose worker it runs on."""

_PROCESS = uuid.uuid4().hex
_held: dict[str, HeldThread] = {}
_preparing = threading.Lock()


def process_here() -> str:
    """Names this process among those of all machines; a fork has another name."""
    return f"{_PROCESS}-{os.getpid()}"


def hold(key: str, idle_s: float | None, turn_s: float, run_process: str, scheduler: str) -> None:
    """Run attempts for a run until it has none for a while, gives the task up, or others are to have their turn.

    Args:
        key: The task's own.
        idle_s: Seconds without an attempt after which the thread goes back to the cluster; None for no limit.
        turn_s: Seconds after which it goes back when the attempt that runs then has ended.
        run_process: The run's, as `process_here` names it.
        scheduler: The id of the cluster's.
    """
    worker = get_worker()
    _prepare(worker)
    lease = _held[key] = HeldThread(idle_s, turn_s, worker)
    worker.log_event(TOPIC, {"lease": key, "worker": worker.address, **_facts()})
    token = holding.set(scheduler)
    try:
        while (attempt := lease.next()) is not None:
            attempt.run(alone=_alone(worker, run_process))
    finally:
        holding.reset(token)
        if _held.get(key) is lease:
            del _held[key]


def _alone(worker: Worker, run_process: str) -> bool:
    """Whether all that this process writes is the attempt's: it has one thread for tasks, and is not the run's own."""
    return worker.state.nthreads == 1 and len(Worker._instances) == 1 and run_process != process_here()


def _facts() -> dict[str, str]:
    return {
        "milo": VERSION,
        "python": platform.python_version(),
        "host": platform.node(),
        "pid": str(os.getpid()),
    }


async def _begin(lease: str, token: str, data: bytes) -> dict[str, Any]:
    """Run an attempt in a task that is held; answers with what comes first, or that the task is over."""
    held = _held.get(lease)
    if held is None:
        return {"status": "OK", "over": True}
    attempt = Attempt(token, data, held, asyncio.get_running_loop())
    if not held.take(attempt):
        return {"status": "OK", "over": True}
    attempts[token] = attempt
    return await attempt.news()


async def _more(token: str) -> dict[str, Any]:
    attempt = attempts.get(token)
    return await attempt.news() if attempt is not None else dict(DROPPED)


async def _cancel(token: str) -> dict[str, Any]:
    await asyncio.to_thread(cancel, token)
    return {"status": "OK"}


class _Plugin(WorkerPlugin):
    """Takes what runs ask of this worker, and hears which tasks are given up."""

    name = "milo"

    def setup(self, worker: Worker) -> None:
        self._worker = worker
        worker.handlers.update({BEGIN: _begin, MORE: _more, CANCEL: _cancel})

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        lease = _held.get(key)
        if (
            lease is not None
            and lease.worker is self._worker
            and finish in ("cancelled", "released", "forgotten")
        ):
            lease.release()

    def teardown(self, worker: Worker) -> None:
        for lease in list(_held.values()):
            if lease.worker is worker:
                lease.release()


def _prepare(worker: Worker) -> None:
    """Make this process ready for runs, once."""
    with _preparing:
        if _Plugin.name in worker.plugins:
            return
        keep_own_log()
        adding = worker.plugin_add(_Plugin(), name=_Plugin.name)
        loop: Any = worker.loop
        asyncio.run_coroutine_threadsafe(adding, loop.asyncio_loop).result()
