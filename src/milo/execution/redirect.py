"""Redirecting: what a worker that is somebody else's writes to descriptors 1 and 2 becomes lines of its attempt."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from milo.execution.framing import Frames, Unframed, new_mark
from milo.execution.lines import LineSplitter, utf8_decoder
from milo.execution.streams import PLAIN_TEXT, flush

__all__ = ["redirected"]

_CHUNK = 65536
_STREAMS = {"stdout": 1, "stderr": 2}

Emit = Callable[[str, str], None]


@contextmanager
def redirected(emit: Emit) -> Iterator[Emit]:
    """Let everything that this process writes to its two outputs become lines, until the block ends.

    Args:
        emit: Called with (stream, line) from other threads; every line has come when the block has ended.

    Yields:
        What makes a line by itself, in order with what is written to the same stream.
    """
    mark = new_mark()
    frames: dict[str, Frames] = {}
    with ExitStack() as stack:
        for stream, descriptor in _STREAMS.items():
            frames[stream] = stack.enter_context(_one(stream, descriptor, mark, emit))

        def line(stream: str, text: str) -> None:
            flush(stream)
            frames[stream].write(text)

        yield line


@contextmanager
def _one(stream: str, descriptor: int, mark: bytes, emit: Emit) -> Iterator[Frames]:
    flush(stream)
    # Around all the rest: a stream that was a file looks where it stands when its encoding changes.
    with _plain_text(getattr(sys, stream)):
        read, write = os.pipe()
        before = os.dup(descriptor)
        os.dup2(write, descriptor)
        done = threading.Event()
        end = os.urandom(16).hex()  # a line that no handler can write
        threading.Thread(target=_read, args=(stream, read, mark, emit, end, done), daemon=True).start()
        frames = Frames(mark, write)
        try:
            yield frames
        finally:
            flush(stream)
            os.dup2(before, descriptor)
            os.close(before)
            # Who was left behind may have the pipe open for ever: its end is written into it.
            frames.write(end)
            # Without a limit: whoever takes the lines may be stopped for a while, and none shall be lost.
            done.wait()
            os.close(write)


@contextmanager
def _plain_text(stream: Any) -> Iterator[None]:
    """Let a stream write lines as they come and whatever characters they have, as long as the block lasts."""
    kept: dict[str, Any] = {}
    with suppress(AttributeError, ValueError, OSError):
        kept = {name: getattr(stream, name) for name in PLAIN_TEXT}
        stream.reconfigure(**PLAIN_TEXT)
    try:
        yield
    finally:
        # A handler may have closed it.
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(**kept)


def _read(stream: str, read: int, mark: bytes, emit: Emit, end: str, done: threading.Event) -> None:
    unframed, decoder, splitter = Unframed(mark), utf8_decoder(), LineSplitter()

    def give(lines: list[str]) -> None:
        for line in lines:
            emit(stream, line)

    try:
        with open(read, "rb", buffering=0) as pipe:
            # Read on after the end: whoever was left behind must neither be held up nor killed by it.
            while data := pipe.read(_CHUNK):
                for printed, line in () if done.is_set() else unframed.feed(data):
                    if line == end:
                        give(splitter.feed(decoder.decode(b"", True)) + splitter.flush())
                        done.set()
                        break
                    give([line] if line is not None else splitter.feed(decoder.decode(printed)))
    finally:
        # Nobody waits for lines that cannot come any more.
        done.set()
