"""arun: a pipeline run from an asyncio program, on its loop and without blocking it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import milo
from milo import Phase, Pipeline, PipelineState
from milo.errors import StateError
from milo.execution import ThreadWorkers
from milo.execution.loops import LoopCoroutines
from milo.session import RunResult, asynchronous
from milo.session.asynchronous import AsyncSession

from .helpers import WAIT_S, LimitsByHand, one, raising


def test_arun_runs_async_handlers_on_the_callers_loop() -> None:
    async def handler() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def main() -> bool:
        result = await milo.arun(one(handler))
        return result.results["it"] is asyncio.get_running_loop()

    assert asyncio.run(main())


def test_arun_lets_the_loop_go_on() -> None:
    async def main() -> RunResult:
        event = threading.Event()
        running = asyncio.create_task(milo.arun(one(lambda: event.wait(WAIT_S))))
        await asyncio.sleep(0)
        event.set()
        return await running

    assert asyncio.run(main()).results == {"it": True}


def test_many_async_handlers_wait_at_once_on_two_workers() -> None:
    async def main() -> RunResult:
        everybody = asyncio.Event()
        count = [0]

        async def handler() -> None:
            count[0] += 1
            if count[0] == 2:
                everybody.set()
            await everybody.wait()

        phases = [Phase(f"n{number}", handler, parallel=True) for number in range(2)]
        return await milo.arun(Pipeline("p", *phases), max_workers=2)

    assert asyncio.run(main()).ok


def test_cancelling_the_task_cancels_the_run() -> None:
    seen: list[str] = []
    states: list[PipelineState] = []

    async def main() -> None:
        started = asyncio.Event()

        async def handler() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("cleaned up")

        task = asyncio.create_task(milo.arun(one(handler), on_state=states.append))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["cleaned up"]
    assert states[-1].status == "cancelled"
    assert states[-1].phase("it").status == "cancelled"


def test_cancelling_the_task_again_does_not_wait_for_a_handler_that_takes_its_time() -> None:
    states: list[PipelineState] = []

    async def main() -> None:
        started, cleaning = asyncio.Event(), asyncio.Event()

        async def handler() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cleaning.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(milo.arun(one(handler), on_state=states.append, grace=600))
        await started.wait()
        task.cancel()
        await cleaning.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, WAIT_S)

    asyncio.run(main())
    assert states[-1].status == "cancelled"


def test_a_limit_cancels_an_async_handler_on_the_callers_loop() -> None:
    seen: list[str] = []
    clock = LimitsByHand()

    async def handler() -> None:
        clock.up()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def main() -> RunResult:
        coroutines = LoopCoroutines(asyncio.get_running_loop())
        return await AsyncSession(one(handler, timeout=600), clock=clock, coroutines=coroutines).arun()

    result = asyncio.run(main())
    assert result.state.phase("it").error == "timed out after 600 s"
    assert seen == ["cleaned up"]


def test_arun_masks_as_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    pipeline = one(raising(ValueError("no hunter2")))
    assert asyncio.run(milo.arun(pipeline, mask=("TOKEN",))).state.phase("it").error == "no ***"


class Cluster:
    """Workers that take as long to be had as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.ready, self.closed = threading.Event(), threading.Event(), threading.Event()
        monkeypatch.setattr(asynchronous, "workers_for", self._made)

    def _made(self, *arguments: Any, **more: Any) -> Any:
        self.asked.set()
        assert self.ready.wait(WAIT_S)
        workers = ThreadWorkers(2)
        close = workers.close

        def closing() -> None:
            close()
            self.closed.set()

        workers.close = closing  # type: ignore[method-assign]
        return workers


def test_the_loop_goes_on_while_a_cluster_takes_its_time_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)

    async def main() -> milo.RunResult:
        run = asyncio.ensure_future(milo.arun(one(lambda: 1), executor="dask"))
        await asyncio.to_thread(cluster.asked.wait, WAIT_S)
        assert not run.done()
        cluster.ready.set()
        return await run

    assert asyncio.run(main()).results == {"it": 1}


def test_a_cluster_that_nobody_waits_for_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)

    async def main() -> None:
        run = asyncio.ensure_future(milo.arun(one(lambda: 1), executor="dask"))
        await asyncio.to_thread(cluster.asked.wait, WAIT_S)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    cluster.ready.set()
    assert cluster.closed.wait(WAIT_S)


def test_a_cluster_that_cannot_be_had_is_the_error_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any, **more: Any) -> Any:
        raise StateError("There is no cluster.")

    monkeypatch.setattr(asynchronous, "workers_for", refused)
    with pytest.raises(StateError, match="There is no cluster"):
        asyncio.run(milo.arun(one(lambda: 1), executor="dask"))
