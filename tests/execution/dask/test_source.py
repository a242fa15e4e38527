"""When threads that are somebody else's go back to the cluster."""

from __future__ import annotations

import sys

import pytest

from milo import Phase
from milo.execution.dask.source import Elsewhere
from tests.execution import elsewhere
from tests.execution.dask.on_dask import noted, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


def test_threads_go_back_to_the_cluster_after_their_turn(
    dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Elsewhere, "turn_s", 0.0)
    result = run(*(Phase(f"p{number}", noted, parallel=True) for number in range(10)), executor=dask_cluster)
    assert result.ok
    # A task an attempt.
    assert len(set(result.results.values())) == 10


def test_a_thread_that_nothing_is_asked_of_goes_back(
    dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Elsewhere, "idle_s", 0.05)

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
