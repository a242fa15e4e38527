"""Redirecting: what a worker that is somebody else's writes to descriptors 1 and 2 becomes lines of its attempt."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from milo.execution.framing import Frames, Unframed, new_mark
from milo.execution.lines import LineSplitter, utf8_decoder

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
            _flush(stream)
            frames[stream].write(text)

        yield line


@contextmanager
def _one(stream: str, descriptor: int, mark: bytes, emit: Emit) -> Iterator[Frames]:
    _flush(stream)
    read, write = os.pipe()
    before = os.dup(descriptor)
    os.dup2(write, descriptor)
    done = threading.Event()
    end = os.urandom(16).hex()  # a line that no handler can write
    threading.Thread(target=_read, args=(stream, read, mark, emit, end, done), daemon=True).start()
    frames = Frames(mark, write)
    target = getattr(sys, stream)
    buffering = getattr(target, "line_buffering", None)
    if buffering is False:
        # Else a line would wait for its neighbours.
        with suppress(AttributeError, ValueError):
            target.reconfigure(line_buffering=True)
    try:
        yield frames
    finally:
        _flush(stream)
        if buffering is False:
            with suppress(AttributeError, ValueError):
                target.reconfigure(line_buffering=False)
        os.dup2(before, descriptor)
        os.close(before)
        # Who was left behind may have the pipe open for ever: its end is written into it.
        frames.write(end)
        # Without a limit: whoever takes the lines may be stopped for a while, and none shall be lost.
        done.wait()
        os.close(write)


def _flush(stream: str) -> None:
    # A stream that the handler has closed has nothing left.
    with suppress(AttributeError, ValueError, OSError):
        getattr(sys, stream).flush()


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
