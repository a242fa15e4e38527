"""What is sent to the threads that are held, and what comes back; with workers of a test's own."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from milo.execution.dask.attempts import Attempts
from milo.execution.dask.leases import Leases
from milo.execution.dask.source import Elsewhere
from milo.execution.placement import WorkerError
from tests.execution.dask.fake_dask import FakeClient, answer, leases


def made(client: FakeClient) -> tuple[Attempts, Leases]:
    held = leases(client)
    return Attempts(client, held, Elsewhere(), "tcp://scheduler"), held


async def begun(attempts: Attempts, token: str = "t") -> asyncio.Task[Any]:
    task = asyncio.ensure_future(attempts.begin(token, "a", b"errand"))
    await asyncio.sleep(0)
    return task


def test_a_thread_is_kept_for_what_comes_next_as_long_as_it_stays() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempts, _ = made(client)
        client.scheduler.answers = [answer(), answer(stays=False), answer()]
        first = await begun(attempts)
        client.begun(1)
        assert (await first).outcome == b"done"
        await attempts.begin("u", "b", b"")
        assert client.futures[0].released
        third = await begun(attempts, "v")
        client.begun(2)
        await third
        assert [each["lease"] for each in client.scheduler.told] == ["run-1", "run-1", "run-2"]

    asyncio.run(scenario())


def test_an_attempt_is_sent_again_where_nothing_of_it_has_run() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempts, _ = made(client)
        client.scheduler.answers = [{"status": "OK", "over": True}, answer()]
        attempt = await begun(attempts)
        client.begun(1)
        while len(client.futures) < 2:
            await asyncio.sleep(0)
        client.begun(2)
        assert (await attempt).outcome == b"done"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (pickle.dumps(OSError("closed")), "tcp://one .* ended or was restarted before phase 'a' was done"),
        ({"status": "OK", "dropped": True}, "tcp://one .* gave phase 'a' up before it was done"),
        (OSError("closed"), "scheduler at tcp://scheduler went away before phase 'a' was done"),
    ],
)
def test_an_attempt_that_is_lost_is_never_sent_again(reply: Any, told: str) -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempts, _ = made(client)
        client.scheduler.answers = [reply, answer()]
        attempt = await begun(attempts)
        client.begun(1)
        with pytest.raises(WorkerError, match=told):
            await attempt
        assert attempts.held("t") is None
        assert client.futures[0].released
        assert len(client.scheduler.told) == 1

    asyncio.run(scenario())


def test_lines_come_one_answer_after_the_other() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempts, _ = made(client)
        lines = [("stdout", "one")]
        some = {"status": "OK", "lines": pickle.dumps(lines), "heeds": True, "outcome": None}
        client.scheduler.answers = [some, answer()]
        attempt = await begun(attempts)
        client.begun(1)
        assert await attempt == (lines, True, None)
        assert attempts.held("t") is not None
        assert (await attempts.more("t", "a")).outcome == b"done"
        with pytest.raises(WorkerError, match="Phase 'a' was given up"):
            await attempts.more("t", "a")

    asyncio.run(scenario())


def test_an_attempt_that_is_called_off_is_given_up_on_its_worker() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempts, _ = made(client)
        client.scheduler.hangs = True
        attempt = await begun(attempts)
        client.begun(1)
        while not client.scheduler.told:
            await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert client.futures[0].released

    asyncio.run(scenario())
