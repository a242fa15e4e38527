"""Over stdin and stdout goes the protocol alone, whoever prints, and the process ends when its client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from milo.views.mcp import wire
from milo.views.mcp.addresses import TIMELINE
from milo.views.mcp.wire import _Answers, _end, _Lines
from tests.views.mcp.world import WAIT_S, settled

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parents[3]

SERVER = r"""
import os, subprocess, sys
from milo.views.mcp import make_server, serve
from tests.views.mcp.world import FakeSource, look_at, state_of

class Noisy(FakeSource):
    def look(self):
        print("printed by a handler")
        sys.stdout.write('{"jsonrpc":"2.0","id":2,"result":{}}\n')
        os.write(1, b"secret written to 1\n")
        os.system("echo from a shell")
        child = "import sys; print('a child has read', repr(sys.stdin.read()))"
        subprocess.run([sys.executable, "-c", child])
        print("and", repr(sys.stdin.read()), "is left", file=sys.stderr)
        return super().look()

def on_start(stop):
    if "stop" in sys.argv:
        import threading
        threading.Thread(target=stop).start()

print("before", flush=True)
serve(
    make_server(source=Noisy(look_at(state_of("running")))),
    mask=lambda line: line.replace("secret", "***"),
    on_start=on_start,
)
os.write(2 if "quiet" in sys.argv else 1, b"behind %r\n" % os.read(0, 9))
sys.exit(5)
"""


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


HELLO = request(
    1,
    "initialize",
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "test", "version": "1"},
)


class Client:
    """Whoever has started the server, and speaks the protocol by hand."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=HERE,
        )
        assert self.process.stdout is not None
        self.stdout = self.process.stdout
        # A server that does not answer ends the test instead of keeping it.
        watchdog = threading.Timer(WAIT_S, self.process.kill)
        watchdog.daemon = True
        watchdog.start()

    def send(self, *messages: bytes) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(message)
        self.process.stdin.flush()

    def answer(self) -> Any:
        return json.loads(self.stdout.readline())


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.process.kill()
    client.process.communicate()


def test_what_is_printed_goes_to_stderr_and_what_is_no_message_ends_nothing(client: Client) -> None:
    assert client.stdout.readline() == b"before\n"
    client.send(HELLO)
    assert client.answer()["id"] == 1
    client.send(
        b"no json at all\n",
        b"\xff\xfe\n",
        b'{"jsonrpc":"2.0","id":9,"method":"resources/read","params":{"uri":"\\ud800"}}\n',
        b"[]\n",
        b"\n",
        request(2, "resources/read", uri=TIMELINE),
    )
    answer = client.answer()
    assert answer["id"] == 2
    assert json.loads(answer["result"]["contents"][0]["text"])["status"] == "pending"
    client.send(request(3, "resources/read", uri="milo://pipeline/phases/\u2028\U0001f600/logs"))
    assert client.answer()["error"]["code"] == -32002
    rest, said = client.process.communicate(timeout=WAIT_S)
    assert rest == b"behind b''\n"
    assert client.process.returncode == 5
    lines = said.decode().splitlines()
    for line in (
        "printed by a handler",
        '{"jsonrpc":"2.0","id":2,"result":{}}',
        "*** written to 1",
        "from a shell",
        "a child has read ''",
        "and '' is left",
    ):
        assert lines.count(line) == 1, lines


def test_a_client_that_reads_no_more_ends_the_process() -> None:
    client = Client("quiet")
    client.send(HELLO)
    client.stdout.readline()
    client.answer()
    client.stdout.close()
    client.send(request(2, "resources/read", uri=TIMELINE))
    assert client.process.wait(WAIT_S) == 5
    assert client.process.stderr is not None
    assert b"Traceback" not in client.process.stderr.read()
    client.process.stderr.close()
    with contextlib.suppress(BrokenPipeError):
        client.process.stdin.close()  # type: ignore[union-attr]


def test_who_serves_can_end_it_while_the_client_stays() -> None:
    client = Client("stop")
    assert client.process.wait(WAIT_S) == 5
    client.process.communicate()


class Counted(io.StringIO):
    """A file that tells how many lines were taken from it."""

    taken = 0

    def __next__(self) -> str:
        line = super().__next__()
        self.taken += 1
        return line


async def test_whoever_sends_faster_than_it_is_answered_has_to_wait() -> None:
    file = Counted("".join(f"{number}\n" for number in range(100)))
    lines = _Lines(file, asyncio.get_running_loop())
    for number in range(100):
        assert await anext(lines) == f"{number}\n"
        await settled()
        assert file.taken <= number + 4
    with pytest.raises(StopAsyncIteration):
        await anext(lines)


async def test_a_stdin_that_fails_is_the_end_of_it() -> None:
    class Broken(io.StringIO):
        def __next__(self) -> str:
            raise OSError(5, "no")

    lines = _Lines(Broken(), asyncio.get_running_loop())
    with anyio.fail_after(WAIT_S), pytest.raises(StopAsyncIteration):
        await anext(lines)


def test_a_line_that_comes_after_the_loop_has_ended_is_nobodys() -> None:
    arrived = threading.Event()

    class Late(io.StringIO):
        def __next__(self) -> str:
            arrived.wait(WAIT_S)
            return "late\n"

    async def start() -> None:
        _Lines(Late(), asyncio.get_running_loop())

    asyncio.run(start())
    (thread,) = [each for each in threading.enumerate() if each.name == "milo-mcp-stdin"]
    arrived.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe to a client: its end and the server's."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def fill(writing: int) -> None:
    """Write until nothing more goes into a pipe."""
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)


async def test_answers_are_written_as_they_come(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    answers = _Answers(writing, anyio.CancelScope())
    for text in ("x\n", "\u2028\U0001f600\n", "\ud800\n"):
        await answers.write(text)
        await answers.flush()
        assert os.read(reading, 100) == text.encode("utf-8", "replace")
    answers.close()
    os.close(writing)
    assert os.read(reading, 1) == b""  # it has kept no end of its own


async def test_a_client_that_is_gone_ends_the_serving(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    with anyio.CancelScope() as scope:
        answers = _Answers(writing, scope)
        await answers.write("x")
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    answers.close()


async def test_a_client_that_does_not_read_keeps_nobody_from_ending(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write that is left behind keeps its descriptor, so that it cannot reach another file of that number."""
    reading, writing = pipe
    fill(writing)
    begun = threading.Event()
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            answers = _Answers(writing, group.cancel_scope)
            write = answers._write
            monkeypatch.setattr(answers, "_write", lambda data: (begun.set(), write(data)))
            group.start_soon(answers.write, "the last")
            assert await anyio.to_thread.run_sync(begun.wait, WAIT_S)
            group.cancel_scope.cancel()
    answers.close()
    os.close(writing)
    written = b""
    with anyio.fail_after(WAIT_S):
        while not written.endswith(b"the last"):
            more = await anyio.to_thread.run_sync(os.read, reading, 1_000_000, abandon_on_cancel=True)
            assert more
            written += more


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_client_that_has_sent_its_last_and_does_not_read_is_left(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(wire, "_LAST_ANSWER_S", 0.01)
    reading, writing = pipe
    fill(writing)
    with anyio.fail_after(WAIT_S), anyio.CancelScope() as serving:
        answers = _Answers(writing, serving)
        if when == "before":
            answers.hurry()
        async with anyio.create_task_group() as group:
            group.start_soon(answers.write, "x")
            await settled()
            if when == "meanwhile":
                answers.hurry()
        await anyio.lowlevel.checkpoint()
    assert serving.cancelled_caught
    os.close(reading)  # and the thread ends


async def test_a_client_that_has_sent_its_last_gets_every_answer_that_it_takes(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with anyio.CancelScope() as serving:
        answers = _Answers(writing, serving)
        answers.hurry()
        for text in ("a", "b"):
            await answers.write(text)
            assert await anyio.to_thread.run_sync(os.read, reading, 9) == text.encode()
        answers.close()
    assert not serving.cancel_called


def test_to_end_what_has_ended_is_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    scope: Any = SimpleNamespace(cancel=lambda: pytest.fail("cancelled"))
    _end(loop, scope)
