"""Prints what agents cost: a first answer, a read while a run goes on, a run that agents follow beside one alone."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

TIMELINE = "milo://pipeline/timeline"
MILO = [sys.executable, "-m", "milo"]
SDK = [sys.executable, "-c", "import os, mcp.server, mcp.server.stdio; os._exit(0)"]
ASKED: list[dict[str, Any]] = [
    {
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
        "id": 1,
    },
    {"method": "notifications/initialized"},
    {"method": "resources/read", "params": {"uri": TIMELINE}, "id": 2},
]
WIDE = """
import time
from milo import Phase, Pipeline

def work():
    time.sleep({sleep})

pipeline = Pipeline("wide", *(Phase(f"p{{number}}", work, parallel=True) for number in range({count})))
"""


def main() -> int:
    """Measure each of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, default=10_000)
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _first_answer(folder, options.rounds)
        asyncio.run(_watched(folder))
        # Phases that do nothing leave the agents no time to look; those that wait a moment are what people watch.
        for sleep in (0.0, 0.01):
            _followed(folder, sleep, options)
    return 0


def _first_answer(folder: str, rounds: int) -> None:
    Path(folder, "pipeline.py").write_text(WIDE.format(count=10, sleep=0.0), "utf-8")
    subprocess.run([*MILO, "run", "--quiet"], cwd=folder, check=True)
    pairs = [(_time(SDK, folder), _time_answer(folder)) for _ in range(rounds)]
    more = [answer - sdk for sdk, answer in pairs]
    print(
        f"milo mcp: first read answered {statistics.median(more) * 1000:.0f} ms after the SDK's own import "
        f"({statistics.median(sdk for sdk, _ in pairs) * 1000:.0f} ms); worst of {rounds}: {max(more) * 1000:.0f} ms"
    )


def _time(command: list[str], folder: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - started


def _time_answer(folder: str) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        [*MILO, "mcp"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in ASKED:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != 2:
            pass
        took = time.perf_counter() - started
        server.stdin.close()
    return took


async def _watched(folder: str) -> None:
    """How long a read of a run in another process takes that goes on meanwhile."""
    Path(folder, "pipeline.py").write_text(WIDE.format(count=400, sleep=0.02), "utf-8")
    took = []
    async with _client(folder) as client:
        run = await asyncio.create_subprocess_exec(*MILO, "run", "--quiet", "-j", "4", cwd=folder)
        ended = asyncio.ensure_future(run.wait())
        while not ended.done():
            started = time.perf_counter()
            await client.read_resource(TIMELINE)
            took.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)
    worst = max(took) * 1000
    print(
        f"a read while a run of 400 phases goes on: {statistics.median(took) * 1000:.1f} ms, at most {worst:.1f} ms"
    )


def _followed(folder: str, sleep: float, options: argparse.Namespace) -> None:
    Path(folder, "pipeline.py").write_text(WIDE.format(count=options.phases, sleep=sleep), "utf-8")
    ratios, reads = [], []
    for _ in range(options.rounds):
        alone = _time([*MILO, "run", "--quiet", "-j", "16"], folder)
        took, read = asyncio.run(_run_followed(folder, options.agents))
        ratios.append(took / alone)
        reads.append(read)
    kind = f"wait {sleep * 1000:.0f} ms" if sleep else "do nothing"
    print(
        f"{options.phases:,} phases that {kind}, followed by {options.agents} agents: "
        f"{statistics.median(ratios):.2f} of the run alone ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{statistics.median(reads):.0f} reads an agent"
    )


async def _run_followed(folder: str, agents: int) -> tuple[float, float]:
    """How long the run took, and how often each agent has read on the average."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(folder)) for _ in range(agents)]
        before = await _timeline(clients[0])
        # They are there before the run is: what they have read first, the run before this one, is not to count.
        settled = [asyncio.Event() for _ in clients]
        following = [
            asyncio.create_task(_follow(client, before, each))
            for client, each in zip(clients, settled, strict=True)
        ]
        for each in settled:
            await each.wait()
        started = time.perf_counter()
        run = await asyncio.create_subprocess_exec(*MILO, "run", "--quiet", "-j", "16", cwd=folder)
        assert await run.wait() == 0
        took = time.perf_counter() - started
        reads = [await each for each in following]
    return took, statistics.mean(reads)


@asynccontextmanager
async def _client(folder: str) -> AsyncIterator[Any]:
    server = StdioServerParameters(command=sys.executable, args=["-m", "milo", "mcp"], cwd=folder)
    async with Client(stdio_client(server), mode="2026-07-28", cache=None, read_timeout_seconds=60) as client:
        await client.list_resources()  # it is there, and has loaded the SDK
        yield client


async def _follow(client: Any, before: Any, settled: asyncio.Event) -> int:
    """Read at every update, until another run than the one before is seen to have completed; returns how often.

    `settled` is set when that one has been read.
    """
    reads = 0
    async with client.listen(resource_subscriptions=[TIMELINE]) as told:
        async for _ in told:
            timeline = await _timeline(client)
            if not settled.is_set():
                settled.set()
                continue
            reads += 1
            if timeline["status"] == "completed" and _begun(timeline) != _begun(before):
                return reads
    raise AssertionError("the agent was not told of the end")


async def _timeline(client: Any) -> Any:
    return json.loads((await client.read_resource(TIMELINE)).contents[0].text)


def _begun(timeline: Any) -> float:
    """When its first phase has started; no two runs have that in common."""
    return float(timeline["phases"][0]["started_at"])


if __name__ == "__main__":
    sys.exit(main())
