"""Coroutines on an event loop that runs already: the caller's, or one that is gone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from milo.execution import ThreadWorkers
from milo.execution.loops import LoopCoroutines
from milo.saga import Call
from milo.store import Store


def call(fn: Any) -> Any:
    def saga() -> Any:
        return (yield Call(fn))

    return saga


def test_the_callers_loop_is_used_when_it_is_given() -> None:
    """And goes on afterwards; one that is closed is an error of the call."""

    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        workers = ThreadWorkers(2, coroutines=LoopCoroutines(loop))
        store = Store(lambda state, action: state, executor=workers)
        task = store.run_saga(call(where))
        found = await asyncio.to_thread(task.result, 10)
        store.shutdown()
        return found is loop

    assert asyncio.run(main())

    closed = asyncio.new_event_loop()
    closed.close()
    with Store(lambda s, a: s, executor=ThreadWorkers(2, coroutines=LoopCoroutines(closed))) as store:
        assert isinstance(store.run_saga(call(where)).exception(10), RuntimeError)


def test_a_loop_that_is_closed_while_a_coroutine_waits_is_no_reason_to_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is nobody left to tell, and the saga goes on without it."""
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with Store(lambda s, a: s, executor=ThreadWorkers(2, coroutines=LoopCoroutines(loop))) as store:
        task = store.run_saga(call(wait))
        assert started.wait(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        for pending in asyncio.all_tasks(loop):
            pending._log_destroy_pending = False  # type: ignore[attr-defined]  # as it is meant to be here
        loop.close()
        task.cancel()
        task.wait_done(10)
    assert task.cancelled()
    assert not [record for record in caplog.records if record.name == "milo"]
