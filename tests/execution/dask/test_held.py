"""The worker's end by itself: when attempts are taken, and what is held back for a run that does not ask."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from milo.execution.dask import held as dask_held
from milo.execution.dask.held import Attempt, HeldThread
from milo.execution.placement import WorkerError
from milo.execution.remote import opened_outcome

WORKER: Any = None


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The worker's, which does not run."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def attempt(loop: asyncio.AbstractEventLoop, data: bytes = b"") -> Attempt:
    return Attempt("t", data, HeldThread(None, 100.0, WORKER), loop)


def test_a_task_ends_when_nothing_comes(loop: asyncio.AbstractEventLoop) -> None:
    lease = HeldThread(0.001, 100.0, WORKER)
    assert lease.next() is None
    assert not lease.take(attempt(loop))


def test_a_task_takes_nothing_more_after_its_turn_and_runs_what_it_has_taken(
    loop: asyncio.AbstractEventLoop,
) -> None:
    lease = HeldThread(None, 0.0, WORKER)
    taken = attempt(loop)
    assert lease.take(taken)
    assert not lease.stays()
    assert not lease.take(attempt(loop))
    assert lease.next() is taken
    assert lease.next() is None


def test_a_task_that_is_given_up_ends_and_its_attempt_is_told(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr(dask_held, "cancel", lambda token: told.set())
    lease = HeldThread(None, 100.0, WORKER)
    assert lease.take(attempt(loop))
    assert lease.next() is not None
    lease.release()
    assert lease.next() is None
    assert told.wait(10)


def test_an_attempt_that_is_given_up_before_it_begins_does_not_run(loop: asyncio.AbstractEventLoop) -> None:
    given_up = attempt(loop, pickle.dumps(("not", "an errand")))
    given_up.drop()
    given_up.run(alone=False)
    assert given_up._outcome == b""


class LoadedLate:
    """While it is loaded, the attempt that it belongs to is given up."""

    attempt: Attempt

    def __reduce__(self) -> tuple[Any, ...]:
        return _give_up, ()


def _give_up() -> None:
    LoadedLate.attempt.drop()


def test_an_attempt_that_is_given_up_while_it_is_loaded_does_not_begin(
    loop: asyncio.AbstractEventLoop,
) -> None:
    errand = ("a", 1, "run", False, 0.0, pytest.fail, (LoadedLate(),), {})
    LoadedLate.attempt = attempt(loop, pickle.dumps(errand))
    LoadedLate.attempt.run(alone=False)
    with pytest.raises(WorkerError, match="cancelled before it had begun"):
        opened_outcome("a", LoadedLate.attempt._outcome or b"")


def test_a_failure_of_the_workers_own_is_told(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_held, "attend", lambda *args, **kwargs: os.stat("/nowhere"))
    errand = ("a", 1, "run", False, 0.0, print, (), {})
    failing = attempt(loop, pickle.dumps(errand))
    failing.run(alone=False)
    with pytest.raises(WorkerError, match="could not run the phase: FileNotFoundError"):
        opened_outcome("a", failing._outcome or b"")


def test_whoever_writes_faster_than_it_is_read_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_held, "_MOST_UNREAD", 100)

    async def scenario() -> None:
        written = attempt(asyncio.get_running_loop())
        writer = threading.Thread(target=lambda: [written.line("t", "stdout", str(n)) for n in range(1000)])
        writer.start()
        got: list[str] = []
        while len(got) < 1000:
            lines = pickle.loads((await written.news())["lines"])
            assert len(lines) <= 2
            got += [line for _, line in lines]
        writer.join()
        assert got == [str(number) for number in range(1000)]

    asyncio.run(scenario())


def test_whoever_writes_goes_on_when_nobody_reads_any_more(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_held, "_MOST_UNREAD", 10)
    dropped = attempt(loop)
    writer = threading.Thread(target=lambda: [dropped.line("t", "stdout", str(n)) for n in range(1000)])
    writer.start()
    dropped.drop()
    writer.join(10)
    assert not writer.is_alive()


def test_lines_come_with_or_before_the_outcome() -> None:
    async def scenario() -> None:
        done = attempt(asyncio.get_running_loop(), b"garbage")
        done.line("t", "stdout", "last")
        done.run(alone=False)
        news = await done.news()
        assert pickle.loads(news["lines"]) == [("stdout", "last")]
        assert b"cannot be loaded on its Dask worker" in news["outcome"]

    asyncio.run(scenario())
