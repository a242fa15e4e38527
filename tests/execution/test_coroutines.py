"""Coroutines: awaited on a loop of milo's own, or on the caller's."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from milo.saga import All, Call, SagaCancelled
from milo.store import Store


def call(fn: Any) -> Any:
    def saga() -> Any:
        return (yield Call(fn))

    return saga


def test_many_coroutines_share_one_loop_in_a_daemon_thread() -> None:
    """They hold no worker: a hundred meet though two calls run at once."""
    seen: list[threading.Thread] = []
    arrived: list[int] = []

    async def meet() -> None:
        seen.append(threading.current_thread())
        arrived.append(1)
        while len(arrived) < 100:
            await asyncio.sleep(0)

    with Store(lambda state, action: state, max_workers=2) as store:
        store.run_saga(lambda: (yield All([call(meet) for _ in range(100)]))).result(20)
    assert len(set(seen)) == 1
    assert seen[0].daemon


def test_cancelling_reaches_the_coroutine() -> None:
    """Its cleanup runs."""
    started, cleaned = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    with Store(lambda state, action: state) as store:
        task = store.run_saga(call(wait))
        assert started.wait(10)
        task.cancel()
        assert cleaned.wait(10)
        task.wait_done(10)
        assert task.cancelled()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_whatever_a_coroutine_raises_belongs_to_the_saga(kind: type[BaseException]) -> None:
    """And does not end the loop, which asyncio would let SystemExit do."""

    async def bad() -> None:
        raise kind

    async def good() -> str:
        return "good"

    def saga() -> Any:
        try:
            yield Call(bad)
        except BaseException as error:  # noqa: BLE001 - that is what is tested
            return type(error), (yield Call(good))

    with Store(lambda state, action: state) as store:
        assert store.run_saga(saga).result(10) == (kind, "good")


def test_context_variables_follow_into_the_coroutine() -> None:
    """Those of the caller."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("mine")

    async def read() -> str:
        await asyncio.sleep(0)
        return variable.get()

    with Store(lambda state, action: state) as store:
        assert store.run_saga(call(read)).result(10) == "mine"


def test_the_loop_ends_with_the_store_and_what_runs_on_it_is_cancelled() -> None:
    """Nothing is left pending."""
    started, cleaned = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    async def wait() -> None:
        threads.append(threading.current_thread())
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    store = Store(lambda state, action: state)
    store.run_saga(call(wait))
    assert started.wait(10)
    store.shutdown()
    assert cleaned.wait(10)
    threads[0].join(10)
    assert not threads[0].is_alive()


@pytest.mark.parametrize("kind", [SagaCancelled, GeneratorExit])
def test_what_would_end_the_saga_itself_is_an_error_of_the_call(kind: type[BaseException]) -> None:
    """A coroutine that raises it has failed; the saga was neither cancelled nor dropped."""

    async def bad() -> None:
        raise kind

    with Store(lambda state, action: state) as store:
        assert isinstance(store.run_saga(call(bad)).exception(10), RuntimeError)
