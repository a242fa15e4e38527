"""Attending: an attempt in a worker that is somebody else's: run there with its output on the way back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from milo.execution.capture import capture_output
from milo.execution.coroutines import CoroutineThread
from milo.execution.lines import LineSink, current_sink
from milo.execution.redirect import redirected
from milo.execution.remote import Errand, RemoteHost, RemoteJob

__all__ = ["Channel", "attend", "cancel"]


class Channel(Protocol):
    """The way from a worker back to the run."""

    def line(self, token: str, stream: str, line: str) -> None: ...

    def heeds(self, token: str) -> None: ...


_running: dict[str, RemoteJob] = {}
_coroutines = CoroutineThread()
# A process has one pair of outputs: of two attempts that come to be in it after all, one has them.
_redirecting = threading.Lock()


def cancel(token: str) -> None:
    """Tell an attempt that runs in this process to end."""
    job = _running.get(token)
    if job is not None:
        job.cancel()


def attend(
    token: str,
    errand: Errand,
    channel: Channel,
    *,
    alone: bool,
    given_up: Callable[[], bool] = lambda: False,
) -> tuple[Any, BaseException | None]:
    """Run an attempt to its end; returns its outcome when all its lines have been told.

    Args:
        token: Names the attempt on the channel.
        errand: What to run.
        channel: Where its lines go.
        alone: Whether the process runs nothing else meanwhile, so that all that it writes is the attempt's.
        given_up: Whether it was given up before `cancel` could find it.
    """
    told = _Told(token, channel)
    host = RemoteHost(coroutines=_coroutines)
    _running[token] = job = host.run(errand, told)
    try:
        if given_up():
            job.cancel()
        with _captured(told, host, alone=alone) if errand.capture else nullcontext():
            job.run()
            told.ended.wait()
    finally:
        del _running[token]
    return told.value, told.error


class _Told:
    """Reports an attempt over a channel, and keeps its outcome."""

    def __init__(self, token: str, channel: Channel) -> None:
        self.ended = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self._token = token
        self._channel = channel
        self._written: Callable[[str, str], None] = self.tell

    def tell(self, stream: str, line: str) -> None:
        self._channel.line(self._token, stream, line)

    def between(self, written: Callable[[str, str], None]) -> None:
        """Let the lines that milo makes go through the same pipe as what is printed, to keep their order."""
        self._written = written

    def line(self, stream: str, line: str) -> None:
        self._written(stream, line)

    def heeds(self) -> None:
        self._channel.heeds(self._token)

    def outcome(self, value: Any, error: BaseException | None) -> None:
        self.value, self.error = value, error
        self.ended.set()


@contextmanager
def _captured(told: _Told, host: RemoteHost, *, alone: bool) -> Iterator[None]:
    redirecting = alone and _redirecting.acquire(blocking=False)
    try:
        with _all_written(told) if redirecting else _all_printed(told, host):
            yield
    finally:
        if redirecting:
            _redirecting.release()


@contextmanager
def _all_written(told: _Told) -> Iterator[None]:
    with redirected(told.tell) as written:
        told.between(written)
        try:
            yield
        finally:
            told.between(told.tell)


@contextmanager
def _all_printed(told: _Told, host: RemoteHost) -> Iterator[None]:
    """Where others write as well: only what passes through sys.stdout and sys.stderr can be told apart."""
    sink = LineSink(told.tell)
    with capture_output():
        host.context.run(current_sink.set, sink)
        try:
            yield
        finally:
            sink.flush()
