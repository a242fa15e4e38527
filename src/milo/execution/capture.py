"""Capture: what a handler prints becomes lines of its phase, live and whole, whatever else prints meanwhile."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from milo.execution.lines import LineSink, current_sink

__all__ = ["Capture", "LineSink", "capture_output", "current_capture", "current_sink"]


class Router(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr: text of a phase goes to its sink, all other to the real stream.

    There is no real stream when the process was started with it closed: sys.stdout is None then.
    """

    def __init__(self, stream: str, target: TextIO | None) -> None:
        self.stream = stream
        self.target = target
        self.uses = 0
        self._buffer = _RouterBytes(self)

    def write(self, text: str, /) -> int:
        sink = current_sink.get()
        if sink is None:
            return self.target.write(text) if self.target is not None else len(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        sink.write(self.stream, text)
        return len(text)

    def flush(self) -> None:
        if self.target is not None:
            self.target.flush()

    def isatty(self) -> bool:
        return current_sink.get() is None and self.target is not None and self.target.isatty()

    def fileno(self) -> int:
        return self.target.fileno() if self.target is not None else super().fileno()

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> io.BufferedIOBase:
        return self._buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.target, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return getattr(self.target, "errors", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def __del__(self) -> None:
        """Nothing to close: the target is not this object's."""

    def close(self) -> None:
        """The real stream stays open; whoever closes the stand-in must not close it for everybody."""


class _RouterBytes(io.BufferedIOBase):
    """``sys.stdout.buffer`` of a router: bytes are decoded, what is not UTF-8 shown as U+FFFD."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def write(self, data: Any, /) -> int:
        sink = current_sink.get()
        target = self._router.target
        if sink is not None:
            sink.write_bytes(self._router.stream, bytes(data))
        elif target is not None:
            return int(target.buffer.write(data))
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._router.flush()

    def close(self) -> None:
        """Like the router, it does not close what it stands in for."""

    def __del__(self) -> None:
        """Nothing to close."""


_installing = threading.Lock()


@contextmanager
def capture_output() -> Iterator[None]:
    """Route sys.stdout, sys.stderr and the logging handlers that write to them, until the block ends.

    May be entered many times at once, from any thread; the streams are put back with the last.
    """
    with _installing:
        routers = [_install("stdout"), _install("stderr")]
    try:
        yield
    finally:
        with _installing:
            for router in routers:
                _uninstall(router)


class Capture:
    """The capture of one run: there from its start until it has ended and nothing of it runs any more.

    A handler that was left behind goes on being routed, so that its output does not turn up where it has no business.
    Handlers come and go without a lock: one that all of them took would make a queue of their threads.

    Args:
        over: True for the capture of one call alone, which is there as long as that call.
    """

    def __init__(self, *, over: bool = False) -> None:
        self._streams = ExitStack()
        self._streams.enter_context(capture_output())
        self._running: set[object] = set()
        self._over = over
        self._closing = threading.Lock()

    def begin(self, handler: object) -> None:
        """`handler` runs; any object that stands for this one call."""
        self._running.add(handler)

    def end(self, handler: object) -> None:
        """It no longer does."""
        self._running.discard(handler)
        if self._over:
            self._put_back()

    def close(self) -> None:
        """The run has ended."""
        self._over = True
        # Noted before the look: whoever ends meanwhile sees the note, or is no longer seen here.
        self._put_back()

    def _put_back(self) -> None:
        if not self._running:
            with self._closing:  # whoever comes second finds nothing to close
                streams = self._streams.pop_all()
            streams.close()


current_capture: ContextVar[Capture | None] = ContextVar("milo_current_capture", default=None)
"""The capture of the run that the running code belongs to; None outside a run."""


def _install(stream: str) -> Router:
    current = getattr(sys, stream)
    if isinstance(current, Router):
        current.uses += 1
        return current
    router = Router(stream, current)
    router.uses = 1
    setattr(sys, stream, router)
    if current is not None:
        _move_logging(current, router)
    return router


def _uninstall(router: Router) -> None:
    router.uses -= 1
    if not router.uses:
        if getattr(sys, router.stream) is router:
            setattr(sys, router.stream, router.target)
        if router.target is not None:
            _move_logging(router, router.target)


def _move_logging(old: Any, new: Any) -> None:
    """Point logging's handlers from one stream to another: those made before hold the stream itself."""
    logging = sys.modules.get("logging")
    if logging is None:  # then nobody has made a handler
        return
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(new)
