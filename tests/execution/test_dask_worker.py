"""The worker's end by itself: when attempts are taken, and what is held back for a run that does not ask."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from milo import Phase
from milo.execution import dask_worker
from milo.execution.dask_worker import _Attempt, _Lease
from milo.execution.placement import WorkerError
from milo.execution.remote import opened_outcome

from . import on_dask

WORKER: Any = None


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The worker's, which does not run."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def attempt(loop: asyncio.AbstractEventLoop, data: bytes = b"") -> _Attempt:
    return _Attempt("t", data, _Lease(None, 100.0, WORKER), loop)


def test_a_task_ends_when_nothing_comes(loop: asyncio.AbstractEventLoop) -> None:
    lease = _Lease(0.001, 100.0, WORKER)
    assert lease.next() is None
    assert not lease.take(attempt(loop))


def test_a_task_takes_nothing_more_after_its_turn_and_runs_what_it_has_taken(
    loop: asyncio.AbstractEventLoop,
) -> None:
    lease = _Lease(None, 0.0, WORKER)
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
    monkeypatch.setattr(dask_worker, "cancel", lambda token: told.set())
    lease = _Lease(None, 100.0, WORKER)
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

    attempt: _Attempt

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
    monkeypatch.setattr(dask_worker, "attend", lambda *args, **kwargs: os.stat("/nowhere"))
    errand = ("a", 1, "run", False, 0.0, print, (), {})
    failing = attempt(loop, pickle.dumps(errand))
    failing.run(alone=False)
    with pytest.raises(WorkerError, match="could not run the phase: FileNotFoundError"):
        opened_outcome("a", failing._outcome or b"")


def test_whoever_writes_faster_than_it_is_read_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_worker, "_MOST_UNREAD", 100)

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
    monkeypatch.setattr(dask_worker, "_MOST_UNREAD", 10)
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


def test_what_is_asked_of_a_task_that_is_over_or_an_attempt_that_was_given_up_is_told_so() -> None:
    assert asyncio.run(dask_worker._begin("none", "t", b"")) == {"status": "OK", "over": True}
    assert asyncio.run(dask_worker._more("none")) == {"status": "OK", "dropped": True}
    assert asyncio.run(dask_worker._cancel("none")) == {"status": "OK"}


def told(lease: _Lease) -> bool:
    """Whether it was given up."""
    return not lease._open


def test_a_worker_that_ends_gives_up_what_it_holds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = SimpleNamespace(handlers={}), SimpleNamespace(handlers={})
    leases = {"a": _Lease(None, 1.0, one), "b": _Lease(None, 1.0, two)}  # type: ignore[arg-type]
    monkeypatch.setattr(dask_worker, "_leases", leases)
    plugin = dask_worker._Plugin()
    plugin.setup(one)  # type: ignore[arg-type]
    plugin.transition("b", "executing", "cancelled")
    plugin.teardown(one)  # type: ignore[arg-type]
    assert (told(leases["a"]), told(leases["b"])) == (True, False)


def test_a_process_is_not_an_attempts_own_where_the_run_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    worker: Any = SimpleNamespace(state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr(dask_worker.Worker, "_instances", [worker])
    assert dask_worker._alone(worker, "another")
    assert not dask_worker._alone(worker, dask_worker.process_here())
    monkeypatch.setattr(dask_worker.Worker, "_instances", [worker, object()])
    assert not dask_worker._alone(worker, "another")


def test_workers_in_the_runs_own_process_do_not_mix_what_their_phases_print() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp"
    ) as cluster:
        result = on_dask.run(
            *(Phase(name, on_dask.prints_together, parallel=True) for name in "ab"),
            executor=f"dask:{cluster.scheduler_address}",
        )
    assert result.ok
    for name in "ab":
        found = [each.line for each in result.state.phase(name).logs]
        assert found == [f"{name} {number}" for number in range(50)]
