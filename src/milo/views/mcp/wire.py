"""The wire: a server over the process's own stdin and stdout, which nobody else reads or writes meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import anyio
import anyio.to_thread
from mcp.server import Server
from mcp.server.stdio import stdio_server

from milo.execution.wire import stdout_for_json
from milo.mask import NO_MASK

if TYPE_CHECKING:
    from anyio import AsyncFile

__all__ = ["serve"]

_LAST_ANSWER_S: Final = 2.0


def serve(
    server: Server[Any],
    *,
    mask: Callable[[str], str] = NO_MASK,
    on_start: Callable[[Callable[[], None]], object] = lambda stop: None,
) -> None:
    """Serve one client over stdin and stdout until it leaves.

    What anybody prints meanwhile goes to stderr, line by line, and whoever reads stdin finds it at its end.

    Args:
        server: What to serve.
        mask: Applied to each line that goes to stderr.
        on_start: Given a function that ends the serving, from any thread or a signal handler.
    """
    with stdout_for_json(mask, "utf-8") as stdout:
        requests = _private_stdin()
        anyio.run(_serve, server, requests, stdout, on_start)


def _private_stdin() -> TextIO:
    """The real stdin; descriptor 0 is a null one from here on, so that no child takes requests away."""
    private = os.dup(0)
    os.set_inheritable(private, False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return open(private, encoding="utf-8", errors="replace", newline="\n")


async def _serve(
    server: Server[Any],
    stdin: TextIO,
    stdout: TextIO,
    on_start: Callable[[Callable[[], None]], object],
) -> None:
    loop = asyncio.get_running_loop()
    with anyio.CancelScope() as scope:
        on_start(partial(_end, loop, scope))
        answering = _Answers(stdout.fileno(), scope)
        lines = cast("AsyncFile[str]", _Lines(stdin, loop, answering.hurry))
        answers = cast("AsyncFile[str]", answering)
        try:
            async with stdio_server(lines, answers) as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
        finally:
            answering.close()


def _end(loop: asyncio.AbstractEventLoop, scope: anyio.CancelScope) -> None:
    # A loop that was closed meanwhile serves nobody.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(scope.cancel)


class _Lines:
    """Reads lines on a daemon thread: a read that waits for a client keeps no process from ending."""

    def __init__(
        self, file: TextIO, loop: asyncio.AbstractEventLoop, ended: Callable[[], object] = lambda: None
    ) -> None:
        self._ended = ended
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        # One line ahead at most, so that a client which sends faster than it is answered has to wait.
        self._room = threading.Semaphore(1)
        threading.Thread(target=self._read, args=(file, loop), name="milo-mcp-stdin", daemon=True).start()

    def _read(self, file: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        # A loop that was closed meanwhile has nobody who waits for a line any more.
        with contextlib.suppress(RuntimeError):
            for line in chain(_readable(file), [None]):
                self._room.acquire()
                loop.call_soon_threadsafe(self._queue.put_nowait, line)

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._queue.get()
        self._room.release()
        if line is None:
            self._ended()
            raise StopAsyncIteration
        return line


def _readable(file: TextIO) -> Iterator[str]:
    # A client whose terminal or socket is gone has left like one that closes its end.
    with contextlib.suppress(OSError, ValueError):
        yield from file


class _Answers:
    """Writes to a client, who may be slow or gone, on a thread that is left behind when the serving ends.

    To a descriptor of its own and through no buffer: nobody who closes a stream has to wait for that thread.
    """

    def __init__(self, descriptor: int, serving: anyio.CancelScope) -> None:
        self._descriptor = os.dup(descriptor)
        self._serving = serving
        self._writing: anyio.CancelScope | None = None
        self._hurries = False
        self._busy = False

    def hurry(self) -> None:
        """The client has sent its last: it gets a moment to take each answer, and is left when it does not."""
        self._hurries = True
        if self._writing is not None:
            self._writing.deadline = anyio.current_time() + _LAST_ANSWER_S

    async def write(self, text: str) -> None:
        with anyio.CancelScope() as self._writing:
            if self._hurries:
                self.hurry()
            # Set here, since a thread that is left behind may not have come to its first line.
            self._busy = True
            try:
                await anyio.to_thread.run_sync(
                    self._write, text.encode("utf-8", "replace"), abandon_on_cancel=True
                )
            except OSError:
                # The client is gone, and with it whoever would read the rest.
                self._serving.cancel()
        if self._writing.cancelled_caught:
            self._serving.cancel()

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        finally:
            self._busy = False

    def close(self) -> None:
        """Release the descriptor, unless a write that was left behind still uses its number."""
        if not self._busy:
            os.close(self._descriptor)

    async def flush(self) -> None:
        """Each message is written as it comes."""
