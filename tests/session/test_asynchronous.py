"""arun: a pipeline run from an asyncio program, on its loop and without blocking it."""

from __future__ import annotations

import asyncio
import threading

import pytest

import milo
from milo import Phase, Pipeline, PipelineState
from milo.session import RunResult

from .helpers import WAIT_S, one, raising


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

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    result = asyncio.run(milo.arun(one(handler, timeout=0.05)))
    assert result.state.phase("it").error == "timed out after 0.05 s"
    assert seen == ["cleaned up"]


def test_arun_masks_as_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    pipeline = one(raising(ValueError("no hunter2")))
    assert asyncio.run(milo.arun(pipeline, mask=("TOKEN",))).state.phase("it").error == "no ***"
