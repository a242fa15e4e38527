"""The tasks that hold threads of a cluster's workers: when they begin, go back, and are given up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline
from milo.execution.dask import leases as dask_leases
from milo.execution.dask.leases import Leases, versions_differ
from milo.execution.dask.source import Elsewhere, Lease
from milo.execution.placement import WorkerError
from tests.execution import elsewhere
from tests.execution.dask.fake_dask import FakeClient, leases
from tests.execution.dask.on_dask import multi, run
from tests.execution.watching import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


async def asked(leases: Leases) -> asyncio.Task[Lease]:
    task = asyncio.ensure_future(leases.take())
    await asyncio.sleep(0)
    return task


async def held(client: FakeClient, made: Leases) -> Lease:
    """A thread that is held."""
    taking = await asked(made)
    client.begun(1)
    return await taking


def test_a_thread_is_handed_on_as_long_as_it_is_held() -> None:
    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        lease = await held(client, made)
        second = await asked(made)
        made.hand_on(lease)
        assert await second is lease
        made.hand_on(lease)
        assert await made.take() is lease
        made.drop(lease)
        assert client.futures[0].released
        made.hand_on(lease)
        assert not (await asked(made)).done()

    asyncio.run(scenario())


def test_a_task_that_dask_begins_again_is_given_up() -> None:
    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        made.hand_on(await held(client, made))
        client.begun(1, worker="tcp://two")
        assert client.futures[0].released
        await asked(made)
        assert len(client.futures) == 2

    asyncio.run(scenario())


def test_one_that_waits_gets_the_place_of_one_that_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Elsewhere, "most", 1)

    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        lease = await held(client, made)
        second = await asked(made)
        assert len(client.futures) == 1
        made.drop(lease)
        assert len(client.futures) == 2
        client.begun(2)
        assert (await second).key == "run-2"

    asyncio.run(scenario())


def test_nothing_is_sent_to_a_worker_that_is_gone() -> None:
    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        made.hand_on(await held(client, made))
        client.handlers["all"]((0.0, {"action": "remove-worker", "worker": "tcp://one"}))
        client.handlers["all"]((0.0, "something else"))
        await asked(made)
        assert len(client.futures) == 2

    asyncio.run(scenario())


def test_a_worker_that_joins_with_another_milo_fails_the_attempt() -> None:
    async def scenario() -> None:
        client = FakeClient()
        taking = await asked(leases(client))
        client.begun(1, version="9.9")
        with pytest.raises(WorkerError, match=r"its milo is version 9\.9"):
            await taking

    asyncio.run(scenario())


def test_whoever_waits_hears_that_the_scheduler_is_gone() -> None:
    async def scenario() -> None:
        client = FakeClient()
        taking = await asked(leases(client))
        client.status = "connecting"
        client.futures[0].status = "cancelled"
        client.futures[0].done(None)
        with pytest.raises(WorkerError, match="scheduler at tcp://scheduler went away"):
            await taking

    asyncio.run(scenario())


def test_one_that_waits_goes_on_while_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_leases, "_NO_WORKER_S", 0.001)

    async def scenario() -> None:
        client = FakeClient()
        client.workers = {"tcp://busy": 1}
        taking = await asked(leases(client))
        while client.asked < 3:
            await asyncio.sleep(0)
        assert not taking.done()
        client.workers = {}
        with pytest.raises(WorkerError, match="has no workers"):
            await taking

    asyncio.run(scenario())


def test_an_attempt_that_is_called_off_gives_its_place_to_the_next() -> None:
    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        first, second = await asked(made), await asked(made)
        client.begun(1)
        first.cancel()
        assert (await second).worker == "tcp://one"

    asyncio.run(scenario())


@pytest.mark.parametrize(("version", "told"), [("0.0", "its milo is version 0.0"), (None, "it has no milo")])
def test_versions_that_differ_are_told_once_for_all(version: str | None, told: str) -> None:
    assert versions_differ({"a": milo.__version__}) is None
    differ = versions_differ({"a": milo.__version__, "b": version, "c": version})
    assert differ is not None
    assert f"The Dask worker b is not ready for this run: {told}" in differ[0]
    assert "nor are 1 more" in differ[0]


def test_where_a_worker_has_several_threads_their_prints_are_told_apart(tmp_path: Path) -> None:
    from tests.execution.dask.on_dask import scheduler, workers

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

    with Client(dask_cluster.removeprefix("dask:"), set_as_default=False) as client:

        def left(dask_scheduler: Any) -> tuple[list[str], list[str], set[str]]:
            topics = dask_scheduler._broker._topics
            return (
                [str(key) for key in dask_scheduler.tasks if str(key).startswith("milo-")],
                [name for name in topics if "milo" in name and not name.startswith("Client-")],
                {client for name in ("milo", "all") for client in topics[name].subscribers},
            )

        # Runs that were killed cannot take back that they listened.
        listening = client.run_on_scheduler(left)[2]
        policy = PhasePolicy("skip")
        milo.run(Pipeline("p", Phase("a", elsewhere.killed, policy=policy)), executor=dask_cluster)
        # One topic for all runs there will ever be. What the run has sent last may arrive after what is asked here.
        assert eventually(lambda: client.run_on_scheduler(left) == ([], ["milo"], listening))


def test_a_client_that_is_closed_fails_the_attempt_and_there_is_nothing_to_give_up() -> None:
    async def scenario() -> None:
        client = FakeClient()
        made = leases(client)
        client.status = "closed"
        with pytest.raises(WorkerError, match="scheduler at tcp://scheduler went away"):
            await made.take()
        made.close()

    asyncio.run(scenario())
