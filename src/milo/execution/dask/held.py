"""On a Dask worker: the thread that a task holds, and the attempts that a run sends to it."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import platform
import queue
import threading
import time
from contextlib import suppress
from typing import Any

from distributed import Worker
from distributed.protocol.serialize import Serialize

from milo.execution.attending import attend, cancel
from milo.execution.dask.pickles import dumps
from milo.execution.placement import WorkerError
from milo.execution.program import Unpickler
from milo.execution.remote import Errand, in_words, packed_outcome
from milo.execution.streams import Streams

__all__ = ["DROPPED", "Attempt", "HeldThread", "attempts", "keep_streams", "large_apart"]

DROPPED = {"status": "OK", "dropped": True}
"""The answer to whoever asks for an attempt that was given up."""

_MOST_UNREAD = 1024 * 1024  # characters
_LINE_COST = 64
_LARGE = 64 * 1024

attempts: dict[str, Attempt] = {}
"""Those that the run has not yet heard the outcome of, by their tokens; for the thread of the worker's loop."""

_streams: Streams | None = None


def keep_streams() -> None:
    """Put descriptors 0 to 2 right after each attempt: this process is for attempts alone."""
    global _streams
    _streams = Streams()


class HeldThread:
    """The task's thread, and the attempts that are sent to it."""

    def __init__(self, idle_s: float | None, turn_s: float, worker: Worker) -> None:
        self.worker = worker
        self._idle_s = idle_s
        self._until = time.monotonic() + turn_s
        self._lock = threading.Lock()  # guards what follows
        self._sent: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._open = True
        self._attempt: Attempt | None = None

    def take(self, attempt: Attempt) -> bool:
        """Run it next; False when no more are taken."""
        with self._lock:
            if self._open:
                self._attempt = attempt
                self._sent.put(attempt)
            return self._open

    def next(self) -> Attempt | None:
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


class Attempt:
    """One attempt: its lines until the run has asked for them, and its outcome."""

    def __init__(self, token: str, data: bytes, lease: HeldThread, loop: asyncio.AbstractEventLoop) -> None:
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
            error = WorkerError(f"Its Dask worker could not run the phase: {in_words(reason)}.")
            packed = packed_outcome("", None, error)
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
            hint = "Its module, and those of what it is given, must be importable on the worker"
            hint += f", which has Python {platform.python_version()}."
            error = WorkerError(
                f"The attempt cannot be loaded on its Dask worker: {in_words(reason)}.", hint=hint
            )
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
            return dict(DROPPED)
        told: dict[str, Any] = {"status": "OK", "lines": b"", "heeds": self._heeds, "outcome": None}
        if self._lines:
            told["lines"] = pickle.dumps(self._lines)
            self._lines, self._unread = [], 0
            self._changed.notify_all()
        self._heeds = False
        if self._outcome is not None:
            told.update(outcome=large_apart(self._outcome), stays=self._lease.stays())
            attempts.pop(self._token, None)
        return told

    def drop(self) -> None:
        """Nobody asks for it any more."""
        with self._changed:
            self._dropped = True
            self._lines.clear()
            self._changed.notify_all()
            self._wake()
        attempts.pop(self._token, None)
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


def large_apart(data: bytes) -> Any:
    """What is large goes apart from its message: the scheduler passes it on as it is, without a copy."""
    return Serialize(data) if len(data) > _LARGE else data  # type: ignore[no-untyped-call]


def _opened(data: bytes) -> Any:
    return Unpickler(io.BytesIO(data)).load()
