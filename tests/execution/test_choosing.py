"""What an executor may be called, and which phases it gets."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from milo import Phase
from milo.errors import PipelineError, StateError
from milo.execution.choosing import check_executor, placed_workers
from tests.execution import elsewhere


@pytest.mark.parametrize("executor", [None, "threads", "processes"])
def test_an_executor_is_taken(executor: Any) -> None:
    check_executor(executor)


@pytest.mark.parametrize(
    "executor",
    ["dask", "dask:tcp://host:8786", "dask:tls://10.0.0.1:80", "dask:tcp://[::1]:1", "dask:wss://host:65535"],
)
def test_a_dask_cluster_is_taken(executor: str) -> None:
    check_executor(executor)


@pytest.mark.parametrize(
    "executor",
    [
        "dask:",
        "dask:host:8786",
        "dask:tcp://host",
        "dask:tcp://:1",
        "dask:tcp://a b:1",
        "dask:tcp://host:0",
        "dask:tcp://host:65536",
        "dask:http://host:1",
        "dask:inproc://10.0.0.1:1",
    ],
)
def test_an_address_that_is_none_is_refused(executor: str) -> None:
    with pytest.raises(StateError, match=r'address of a Dask scheduler .* "dask:tcp://127\.0\.0\.1:8786"'):
        check_executor(executor)


@pytest.mark.parametrize("executor", ["dask", "dask:tcp://host:8786"])
def test_without_its_library_dask_is_refused(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StateError, match=r"pip install 'milo-pipelines\[dask\]'"):
        check_executor(executor)


@pytest.mark.parametrize("executor", ["thread", "clouds", "dasked", 7, ["threads"], True])
def test_something_else_is_refused_with_what_there_is(executor: Any) -> None:
    with pytest.raises(StateError, match=r'got .*Use "threads", "processes", "dask"'):
        check_executor(executor)


def test_one_pool_serves_all_phases_of_a_run() -> None:
    phases = [
        Phase("a", elsewhere.pid),
        Phase("b", elsewhere.pid, runs_on="process"),
        Phase("c", elsewhere.pid, runs_on="thread"),
    ]
    workers = placed_workers("processes", phases, max_workers=3)
    place_of = workers._place_of
    assert workers.workers == 3
    assert place_of("a") is place_of("b") is workers._places[0]
    assert place_of("c") is None
    workers.close()


def test_a_handler_that_cannot_go_there_is_refused() -> None:
    with pytest.raises(PipelineError, match="handler of phase 'b'"):
        placed_workers(None, [Phase("a", lambda: None), Phase("b", lambda: None, runs_on="process")])
