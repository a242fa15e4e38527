"""Agents for tests: the SDK's own client of a real `milo mcp`, and the bare lines of the protocol."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import ResourceUpdatedNotification

TIMELINE = "milo://pipeline/timeline"
ERAS = ("legacy", "2026-07-28")
"""How the client asks for the two eras of the protocol."""
PATIENCE_S = 30.0


class Agent:
    """A client that is connected to a server, and hears of what it has subscribed to.

    Args:
        client: Connected.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.updates: asyncio.Queue[str] = asyncio.Queue()

    async def read(self, uri: str = TIMELINE) -> Any:
        """What stands at an address, parsed."""
        return json.loads((await self.client.read_resource(uri)).contents[0].text)  # type: ignore[union-attr]

    async def until(self, wanted: Callable[[Any], bool], uri: str = TIMELINE) -> list[Any]:
        """Read whenever there is an update, until it is as wanted; returns all that was read."""
        seen: list[Any] = []
        with anyio.fail_after(PATIENCE_S):
            while True:
                try:
                    seen.append(await self.read(uri))
                    if wanted(seen[-1]):
                        return seen
                except MCPError as error:
                    assert error.error.data == {"code": "no-run"}  # noqa: PT017
                assert await self.updates.get() == uri

    def hear(self, uri: str) -> None:
        self.updates.put_nowait(uri)


@asynccontextmanager
async def connected(
    cli: Any, *arguments: str, era: str, subscribe: str = "", **env: str
) -> AsyncIterator[Agent]:
    """Start `milo mcp` with these arguments and connect to it, in one of the two eras."""
    from tests.cli.conftest import environment

    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "milo", "mcp", *arguments],
        env=environment(**env),
        cwd=cli.folder,
    )
    agent: Agent | None = None

    async def hear(message: Any) -> None:
        if isinstance(message, Exception):
            raise message  # what came over the wire was not of the protocol
        if isinstance(message, ResourceUpdatedNotification) and agent is not None:
            agent.hear(str(message.params.uri))

    with (cli.folder / "mcp.stderr").open("a") as stderr:
        transport = stdio_client(server, errlog=stderr)
        async with Client(
            transport, mode=era, message_handler=hear, read_timeout_seconds=PATIENCE_S, cache=None
        ) as client:
            agent = Agent(client)
            async with _subscribed(agent, era, subscribe):
                yield agent


@asynccontextmanager
async def _subscribed(agent: Agent, era: str, uri: str) -> AsyncIterator[None]:
    if not uri:
        yield
    elif era == "legacy":
        with warnings.catch_warnings():
            # The newer era has replaced it, and the SDK says so to whoever uses the older one.
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            await agent.client.session.subscribe_resource(uri)
        yield
    else:
        async with (
            agent.client.listen(resource_subscriptions=[uri]) as told,
            anyio.create_task_group() as group,
        ):

            async def listen() -> None:
                async for event in told:
                    agent.hear(event.uri)  # type: ignore[union-attr]

            group.start_soon(listen)
            yield
            group.cancel_scope.cancel()


class Wire:
    """The lines of the protocol themselves, over the pipes of a process: nothing on them is passed over.

    Args:
        process: The server, with pipes of bytes.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._number = 0
        self.ask(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={},
            clientInfo={"name": "t", "version": "1"},
        )
        self.tell("notifications/initialized")

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request; returns its result, or raises AssertionError with its error."""
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            message = self.next()
            if message.get("id") == self._number:
                assert "result" in message, message
                return message["result"]

    def read(self, uri: str = TIMELINE) -> Any:
        """What stands at an address, parsed."""
        return json.loads(self.ask("resources/read", uri=uri)["contents"][0]["text"])

    def next(self) -> Any:
        """The next line, which has to be a message."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        return json.loads(line)

    def _send(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
