"""What a Dask worker is asked, and what it gives up when it ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from milo import Phase
from milo.execution.dask import worker as dask_worker
from milo.execution.dask.held import HeldThread
from tests.execution.dask import on_dask


def test_what_is_asked_of_a_task_that_is_over_or_an_attempt_that_was_given_up_is_told_so() -> None:
    assert asyncio.run(dask_worker._begin("none", "t", b"")) == {"status": "OK", "over": True}
    assert asyncio.run(dask_worker._more("none")) == {"status": "OK", "dropped": True}
    assert asyncio.run(dask_worker._cancel("none")) == {"status": "OK"}


def told(lease: HeldThread) -> bool:
    """Whether it was given up."""
    return not lease._open


def test_a_worker_that_ends_gives_up_what_it_holds_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = SimpleNamespace(handlers={}), SimpleNamespace(handlers={})
    threads = {"a": HeldThread(None, 1.0, one), "b": HeldThread(None, 1.0, two)}  # type: ignore[arg-type]
    monkeypatch.setattr(dask_worker, "_held", threads)
    plugin = dask_worker._Plugin()
    plugin.setup(one)  # type: ignore[arg-type]
    plugin.transition("b", "executing", "cancelled")
    plugin.teardown(one)  # type: ignore[arg-type]
    assert (told(threads["a"]), told(threads["b"])) == (True, False)


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
