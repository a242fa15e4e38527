"""On a Dask worker: a task that holds one of its threads for a while and runs there the attempts that a run sends."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import platform
import queue
import threading
import time
import uuid
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker
from distributed.protocol.serialize import Serialize

from milo.execution.attending import attend, cancel
from milo.execution.dask_pickles import dumps
from milo.execution.dask_quiet import keep_own_log
from milo.execution.placement import WorkerError
from milo.execution.program import Unpickler
from milo.execution.remote import Errand, packed_outcome
from milo.execution.streams import Streams
from milo.version import VERSION

__all__ = [
    "BEGIN",
    "CANCEL",
    "MORE",
    "TOPIC",
    "hold",
    "holding",
    "keep_streams",
    "large_apart",
    "process_here",
]

TOPIC = "milo"
BEGIN, MORE, CANCEL = "milo_begin", "milo_more", "milo_cancel"

_MOST_UNREAD = 1024 * 1024  # characters
_LINE_COST = 64
_LARGE = 64 * 1024
_DROPPED = {"status": "OK", "dropped": True}

holding: ContextVar[str] = ContextVar("holding", default="")
"""In an attempt: the scheduler (its id) whose worker it runs on."""

_PROCESS = uuid.uuid4().hex
_leases: dict[str, _Lease] = {}
_attempts: dict[str, _Attempt] = {}
_preparing = threading.Lock()
_streams: Streams | None = None


def keep_streams() -> None:
    """Put descriptors 0 to 2 right after each attempt: this process is for attempts alone."""
    global _streams
    _streams = Streams()


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
    lease = _leases[key] = _Lease(idle_s, turn_s, worker)
    worker.log_event(TOPIC, {"lease": key, "worker": worker.address, **_facts()})
    token = holding.set(scheduler)
    try:
        while (attempt := lease.next()) is not None:
            attempt.run(alone=_alone(worker, run_process))
    finally:
        holding.reset(token)
        if _leases.get(key) is lease:
            del _leases[key]


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


class _Lease:
    """The task's thread, and the attempts that are sent to it."""

    def __init__(self, idle_s: float | None, turn_s: float, worker: Worker) -> None:
        self.worker = worker
        self._idle_s = idle_s
        self._until = time.monotonic() + turn_s
        self._lock = threading.Lock()  # guards what follows
        self._sent: queue.SimpleQueue[_Attempt | None] = queue.SimpleQueue()
        self._open = True
        self._attempt: _Attempt | None = None

    def take(self, attempt: _Attempt) -> bool:
        """Run it next; False when no more are taken."""
        with self._lock:
            if self._open:
                self._attempt = attempt
                self._sent.put(attempt)
            return self._open

    def next(self) -> _Attempt | None:
        """What to run; None when it is over."""
        with suppress(queue.Empty):
            return self._sent.get(timeout=self._idle_s if self._open else 0.0)
        with self._lock:
            self._open = False
        # One that was taken before the end came.
        with suppress(queue.Empty):
            return self._sent.get_nowait()
        return None

    def stays(self) -> bool:
        """Whether another attempt may follow; once it may not, none will."""
        with self._lock:
            self._open = self._open and time.monotonic() < self._until
            return self._open

    def release(self) -> None:
        """Nobody waits for what runs here any more: it is told to end, and nothing follows it."""
        with self._lock:
            self._open = False
            attempt = self._attempt
        self._sent.put(None)
        if attempt is not None:
            attempt.drop()


class _Attempt:
    """One attempt: its lines until the run has asked for them, and its outcome."""

    def __init__(self, token: str, data: bytes, lease: _Lease, loop: asyncio.AbstractEventLoop) -> None:
        self._token = token
        self._data = data
        self._lease = lease
        self._loop = loop
        self._changed = threading.Condition()  # guards what follows
        self._lines: list[tuple[str, str]] = []
        self._unread = 0
        self._heeds = False
        self._outcome: bytes | None = None
        self._dropped = False
        self._asked: asyncio.Future[None] | None = None

    def run(self, *, alone: bool) -> None:
        """Run it to its end, on this thread."""
        packed = b""
        try:
            if not self._dropped:
                packed = self._run(alone=alone)
        except BaseException as reason:  # noqa: BLE001 - whatever it is, the run waits to hear of it
            told = f"{type(reason).__name__}: {reason}".rstrip(".: ")
            packed = packed_outcome(
                "", None, WorkerError(f"Its Dask worker could not run the phase: {told}.")
            )
        self._data = b""
        if _streams is not None and not _streams.restored():
            os._exit(1)  # nothing that it could be told by can be trusted
        with self._changed:
            self._outcome = packed
            self._wake()

    def _run(self, *, alone: bool) -> bytes:
        try:
            errand = Errand(*_opened(self._data))
        except BaseException as reason:  # noqa: BLE001 - loading runs the user's modules
            told = f"{type(reason).__name__}: {reason}".rstrip(".")
            hint = "Its module, and those of what it is given, must be importable on the worker"
            hint += f", which has Python {platform.python_version()}."
            error = WorkerError(f"The attempt cannot be loaded on its Dask worker: {told}.", hint=hint)
            return packed_outcome("", None, error)
        # To load it may have taken its time.
        value, failed = attend(self._token, errand, self, alone=alone, given_up=lambda: self._dropped)
        return packed_outcome(errand.name, value, failed, dumps)

    def line(self, token: str, stream: str, line: str) -> None:
        """Keep a line for the run. Waits while there are many: whoever writes faster than they are read is held up."""
        with self._changed:
            self._changed.wait_for(lambda: self._unread < _MOST_UNREAD or self._dropped)
            if not self._dropped:
                self._lines.append((stream, line))
                self._unread += len(line) + _LINE_COST
                self._wake()

    def heeds(self, token: str) -> None:
        with self._changed:
            self._heeds = True
            self._wake()

    async def news(self) -> dict[str, Any]:
        """What there is since the last time, waiting until there is something."""
        while True:
            with self._changed:
                if self._lines or self._heeds or self._outcome is not None or self._dropped:
                    return self._taken()
                self._asked = self._loop.create_future()
            await self._asked

    def _taken(self) -> dict[str, Any]:
        """All that there is; with the lock held."""
        if self._dropped:
            return dict(_DROPPED)
        told: dict[str, Any] = {"status": "OK", "lines": b"", "heeds": self._heeds, "outcome": None}
        if self._lines:
            told["lines"] = pickle.dumps(self._lines)
            self._lines, self._unread = [], 0
            self._changed.notify_all()
        self._heeds = False
        if self._outcome is not None:
            told.update(outcome=large_apart(self._outcome), stays=self._lease.stays())
            _attempts.pop(self._token, None)
        return told

    def drop(self) -> None:
        """Nobody asks for it any more."""
        with self._changed:
            self._dropped = True
            self._lines.clear()
            self._changed.notify_all()
            self._wake()
        _attempts.pop(self._token, None)
        # A thread of its own: what the handler wants to be called then may take its time.
        threading.Thread(target=cancel, args=(self._token,), daemon=True).start()

    def _wake(self) -> None:
        """Let whoever has asked hear of it; with the lock held."""
        asked, self._asked = self._asked, None
        if asked is not None:
            # A worker that is closing has no loop any more, and nobody who asks.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_answer, asked)


def _answer(asked: asyncio.Future[None]) -> None:
    if not asked.done():
        asked.set_result(None)


async def _begin(lease: str, token: str, data: bytes) -> dict[str, Any]:
    """Run an attempt in a task that is held; answers with what comes first, or that the task is over."""
    held = _leases.get(lease)
    if held is None:
        return {"status": "OK", "over": True}
    attempt = _Attempt(token, data, held, asyncio.get_running_loop())
    if not held.take(attempt):
        return {"status": "OK", "over": True}
    _attempts[token] = attempt
    return await attempt.news()


async def _more(token: str) -> dict[str, Any]:
    attempt = _attempts.get(token)
    return await attempt.news() if attempt is not None else dict(_DROPPED)


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
        lease = _leases.get(key)
        if (
            lease is not None
            and lease.worker is self._worker
            and finish in ("cancelled", "released", "forgotten")
        ):
            lease.release()

    def teardown(self, worker: Worker) -> None:
        for lease in list(_leases.values()):
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


def large_apart(data: bytes) -> Any:
    """What is large goes apart from its message: the scheduler passes it on as it is, without a copy."""
    return Serialize(data) if len(data) > _LARGE else data  # type: ignore[no-untyped-call]


def _opened(data: bytes) -> Any:
    return Unpickler(io.BytesIO(data)).load()
