"""The tasks that hold threads of a cluster's workers: when they begin, go back, and are given up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline
from milo.execution import dask_cluster as dask_cluster_module
from milo.execution import dask_leases
from milo.execution.dask_leases import Leases, versions_differ
from milo.execution.placement import WorkerError

from . import elsewhere
from .on_dask import multi, noted, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


class FakeFuture:
    def __init__(self) -> None:
        self.status = "pending"
        self.released = False
        self.done: Any = None

    def add_done_callback(self, callback: Any) -> None:
        self.done = callback

    def release(self) -> None:
        self.released = True


class FakeScheduler:
    """Answers what a worker would; what is told is noted."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.answers: list[Any] = []

    async def broadcast(self, msg: dict[str, Any], workers: list[str], on_error: str) -> dict[str, Any]:
        self.told.append({**msg, "worker": workers[0]})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {workers[0]: answer}


class FakeClient:
    def __init__(self) -> None:
        self.status = "running"
        self.scheduler = FakeScheduler()
        self.handlers: dict[str, Callable[[Any], None]] = {}
        self.futures: list[FakeFuture] = []
        self.workers: dict[str, int] = {}

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.handlers[topic] = handler

    def submit(self, *args: Any, **kwargs: Any) -> FakeFuture:
        self.futures.append(FakeFuture())
        return self.futures[-1]

    async def nthreads(self) -> dict[str, int]:
        return self.workers

    def begun(self, number: int, worker: str = "tcp://one", version: str = milo.__version__) -> None:
        told = {"lease": f"run-{number}", "worker": worker, "milo": version, "pid": "1", "host": "here"}
        self.handlers["milo"]((0.0, told))


def made(client: FakeClient) -> Leases:
    return Leases(client, dask_cluster_module._Elsewhere(), "run", "tcp://scheduler")


def answer(stays: bool = True, outcome: bytes = b"done") -> dict[str, Any]:
    return {"status": "OK", "lines": b"", "heeds": False, "outcome": outcome, "stays": stays}


async def asked(leases: Leases, token: str = "t") -> asyncio.Task[Any]:
    task = asyncio.ensure_future(leases.begin(token, "a", b"errand"))
    await asyncio.sleep(0)
    return task


def test_a_thread_is_kept_for_what_comes_next_as_long_as_it_stays() -> None:
    async def scenario() -> None:
        client = FakeClient()
        leases = made(client)
        client.scheduler.answers = [answer(), answer(stays=False), answer()]
        first = await asked(leases)
        client.begun(1)
        assert (await first).outcome == b"done"
        await leases.begin("u", "b", b"")
        assert len(client.futures) == 1
        assert client.futures[0].released
        third = await asked(leases, "v")
        client.begun(2)
        await third
        assert [each["lease"] for each in client.scheduler.told] == ["run-1", "run-1", "run-2"]

    asyncio.run(scenario())


def test_an_attempt_is_sent_again_where_nothing_of_it_has_run() -> None:
    async def scenario() -> None:
        client = FakeClient()
        leases = made(client)
        client.scheduler.answers = [{"status": "OK", "over": True}, answer()]
        attempt = await asked(leases)
        client.begun(1)
        await asyncio.sleep(0.01)
        client.begun(2)
        assert (await attempt).outcome == b"done"

    asyncio.run(scenario())


def test_a_task_that_dask_begins_again_is_given_up() -> None:
    async def scenario() -> None:
        client = FakeClient()
        leases = made(client)
        client.scheduler.answers = [answer()]
        attempt = await asked(leases)
        client.begun(1)
        await attempt
        client.begun(1, worker="tcp://two")
        assert client.futures[0].released
        await asked(leases)
        assert len(client.futures) == 2

    asyncio.run(scenario())


def test_nothing_is_sent_to_a_worker_that_is_gone() -> None:
    async def scenario() -> None:
        client = FakeClient()
        leases = made(client)
        client.scheduler.answers = [answer()]
        attempt = await asked(leases)
        client.begun(1)
        await attempt
        client.handlers["all"]((0.0, {"action": "remove-worker", "worker": "tcp://one"}))
        client.handlers["all"]((0.0, "something else"))
        await asked(leases)
        assert len(client.futures) == 2

    asyncio.run(scenario())


def test_a_worker_that_joins_with_another_milo_fails_the_attempt() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempt = await asked(made(client))
        client.begun(1, version="9.9")
        with pytest.raises(WorkerError, match=r"its milo is version 9\.9"):
            await attempt

    asyncio.run(scenario())


def test_whoever_waits_hears_that_the_scheduler_is_gone() -> None:
    async def scenario() -> None:
        client = FakeClient()
        attempt = await asked(made(client))
        client.status = "connecting"
        client.futures[0].status = "cancelled"
        client.futures[0].done(None)
        with pytest.raises(WorkerError, match="scheduler at tcp://scheduler went away"):
            await attempt

    asyncio.run(scenario())


def test_one_that_waits_goes_on_while_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_leases, "_NO_WORKER_S", 0.005)

    async def scenario() -> None:
        client = FakeClient()
        client.workers = {"tcp://busy": 1}
        attempt = await asked(made(client))
        await asyncio.sleep(0.05)
        assert not attempt.done()
        client.workers = {}
        with pytest.raises(WorkerError, match="has no workers"):
            await attempt

    asyncio.run(scenario())


def test_an_attempt_that_is_called_off_gives_its_place_to_the_next() -> None:
    async def scenario() -> None:
        client = FakeClient()
        leases = made(client)
        client.scheduler.answers = [answer()]
        first = await asked(leases, "t")
        second = await asked(leases, "u")
        client.begun(1)
        first.cancel()
        assert (await second).outcome == b"done"

    asyncio.run(scenario())


@pytest.mark.parametrize(("version", "told"), [("0.0", "its milo is version 0.0"), (None, "it has no milo")])
def test_versions_that_differ_are_told_once_for_all(version: str | None, told: str) -> None:
    assert versions_differ({"a": milo.__version__}) is None
    differ = versions_differ({"a": milo.__version__, "b": version, "c": version})
    assert differ is not None
    assert f"The Dask worker b is not ready for this run: {told}" in differ[0]
    assert "nor are 1 more" in differ[0]


def test_threads_go_back_to_the_cluster_after_their_turn(
    dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster_module._Elsewhere, "turn_s", 0.0)
    result = run(*(Phase(f"p{number}", noted, parallel=True) for number in range(10)), executor=dask_cluster)
    assert result.ok
    # A task an attempt.
    assert len(set(result.results.values())) == 10


def test_a_thread_that_nothing_is_asked_of_goes_back(
    dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster_module._Elsewhere, "idle_s", 0.05)

    def others_run() -> int:
        from distributed import Client

        with Client(dask_cluster.removeprefix("dask:"), set_as_default=False) as client:
            futures = [
                client.submit(elsewhere.pid, workers=worker, pure=False) for worker in client.nthreads()
            ]
            return len([future.result(timeout=30) for future in futures])

    result = run(
        Phase("a", elsewhere.pid),
        Phase("others", others_run, depends_on=("a",), runs_on="thread"),
        Phase("b", elsewhere.pid, depends_on=("others",)),
        executor=dask_cluster,
    )
    assert result.ok
    assert result.results["others"] == 2


def test_where_a_worker_has_several_threads_their_prints_are_told_apart(tmp_path: Path) -> None:
    from .on_dask import scheduler, workers

    with scheduler() as (_, address), workers(address, tmp_path, "--nthreads", 3):
        result = run(
            *(Phase(f"p{number}", multi, parallel=True, max_logs=500) for number in range(3)),
            executor=f"dask:{address}",
        )
    assert result.ok
    for phase in result.state.phases:
        assert [each.line for each in phase.logs] == [f"{phase.name} {number}" for number in range(200)]


def test_a_run_that_ends_leaves_nothing_at_the_scheduler(dask_cluster: str) -> None:
    from distributed import Client

    policy = PhasePolicy("skip")
    milo.run(Pipeline("p", Phase("a", elsewhere.killed, policy=policy)), executor=dask_cluster)
    with Client(dask_cluster.removeprefix("dask:"), set_as_default=False) as client:

        def tasks(dask_scheduler: Any) -> tuple[int, list[str]]:
            mine = [key for key in dask_scheduler.tasks if str(key).startswith("milo-")]
            return len(mine), sorted(topic for topic in dask_scheduler._broker._topics if "milo" in topic)

        count, topics = client.run_on_scheduler(tasks)
        assert count == 0
        assert [topic for topic in topics if not topic.startswith("Client-")] == ["milo"]
