"""Job: one Call on its way, and how it is called off."""

from __future__ import annotations

import contextvars
from types import SimpleNamespace
from typing import Any, cast

import pytest

from milo.saga import Call, Fork, Take
from milo.saga.ports import Job, current_job
from milo.store import Store

from .world import World


def test_a_job_that_is_cancelled_before_it_runs_is_never_made(world: World) -> None:
    """A worker passes over it."""
    calls: list[int] = []

    def work() -> None:
        calls.append(1)

    world.seconds[work] = 5.0
    task = world.run(lambda: (yield Call(work)))
    task.cancel()
    world.clock.advance(10)
    assert calls == []
    assert task.cancelled()


def test_running_code_knows_its_job_and_hears_of_its_cancellation() -> None:
    """From whatever thread; a callback that comes too late is called at once."""
    import threading

    started, told = threading.Event(), threading.Event()
    seen: list[Any] = []

    def work() -> None:
        job = current_job.get()
        assert job is not None
        job.on_cancel(told.set)
        started.set()
        assert told.wait(10)
        seen.append(job.cancelled)
        job.on_cancel(lambda: seen.append("at once"))

    ended = threading.Event()

    def main() -> None:
        work()
        ended.set()

    with Store(lambda state, action: state) as store:
        task = store.run_saga(lambda: (yield Call(main)))
        assert started.wait(10)
        task.cancel()
        assert ended.wait(10)
    assert seen == [True, "at once"]
    assert current_job.get() is None


def test_each_call_has_its_own_copy_of_the_callers_context() -> None:
    """What one sets, the next does not see."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("outer")

    def work() -> str:
        before = variable.get()
        variable.set("inner")
        return before

    def saga() -> Any:
        first = yield Call(work)
        second = yield Call(work)
        yield Fork(lambda: (yield Take("never")))
        return first, second

    with Store(lambda state, action: state, max_workers=1) as store:
        variable.set("later")
        assert store.run_saga(saga).result(10) == ("outer", "outer")


def test_a_cancellation_that_cannot_be_told_still_reaches_the_saga(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that raises is logged."""

    def refuse() -> None:
        raise RuntimeError("the loop is closed")

    def work() -> None:
        """Takes its time."""

    world.seconds[work] = 5.0
    task = world.run(lambda: (yield Call(work)))
    job: Any = task.wait
    job.on_cancel(refuse)
    task.cancel()
    assert task.cancelled()
    assert "the loop is closed" in caplog.text


def test_a_call_that_is_cancelled_as_it_begins_holds_no_worker() -> None:
    """However close it gets, either the call sees the cancellation or its worker counts as abandoned."""
    made: list[str] = []
    abandoned: list[Job] = []
    host = SimpleNamespace(
        context=contextvars.copy_context(),
        executor=SimpleNamespace(abandon=abandoned.append),
        complete=lambda *args, **options: None,
    )

    class CancelledBetween(Job):
        """Is cancelled right after it was looked at."""

        looks = 0

        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            if name == "cancelled" and not CancelledBetween.looks:
                CancelledBetween.looks = 1
                self.cancel()
            return value

    job = CancelledBetween(
        cast(Any, host), cast(Any, SimpleNamespace(epoch=0)), Call(lambda: made.append("made"))
    )
    job.run()
    assert made == ["made"]
    assert abandoned == [job]
