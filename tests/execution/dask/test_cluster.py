"""How a run connects to a Dask cluster of somebody else's, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import milo
from milo import Phase, PhasePolicy, Pipeline, StateError
from milo.execution.dask import cluster as dask_cluster_module
from milo.execution.dask import leases as dask_leases
from milo.execution.dask.cluster import _checked, _closed
from milo.execution.placement import WorkerError
from tests.execution import elsewhere
from tests.execution.dask.on_dask import SKIP, run, scheduler, workers
from tests.execution.watching import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="handlers use POSIX")


def lose_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run give a scheduler up after a second, once it was connected to it."""
    connect = dask_cluster_module._client

    async def impatient(address: str, security: Any) -> Any:
        client = await connect(address, security)
        client._timeout = 1.0
        return client

    monkeypatch.setattr(dask_cluster_module, "_client", impatient)


def test_a_scheduler_that_cannot_be_reached_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_cluster_module, "_CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    ran: list[int] = []
    with pytest.raises(StateError, match=f"The Dask scheduler at {address} cannot be reached") as refused:
        run(Phase("a", lambda: ran.append(1), runs_on="thread"), Phase("b", int), executor=f"dask:{address}")
    assert "Start one with `dask scheduler`" in str(refused.value)
    assert not ran


def test_something_else_that_listens_there_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster_module, "_CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(StateError, match="cannot be reached"):
            run(Phase("b", int), executor=f"dask:{address}")


def test_a_cluster_that_gets_no_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_leases, "_NO_WORKER_S", 0.2)
    with scheduler() as (_, address):
        with pytest.raises(StateError, match=f"The Dask scheduler at {address} has no workers") as refused:
            run(Phase("a", int), executor=f"dask:{address}")
        assert f"Start one with `dask worker {address}`" in str(refused.value)


def test_workers_that_have_no_milo_are_told_of_before_anything_runs(tmp_path: Path) -> None:
    hidden = """
import distributed.versions as versions
versions._version_cached = lambda name, find=versions._version_cached: (
    None if name == "milo-pipelines" else find(name)
)
"""
    (tmp_path / "hide.py").write_text(hidden)
    with (
        scheduler() as (_, address),
        workers(address, tmp_path, "--nthreads", 1, "--preload", tmp_path / "hide.py"),
        pytest.raises(StateError, match="is not ready for this run: it has no milo, and"),
    ):
        run(Phase("a", int), executor=f"dask:{address}")


def test_a_worker_that_cannot_load_milo_fails_the_phase_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hide.py").write_text("import sys\nsys.modules['milo.execution.dask.worker'] = None\n")
    with (
        scheduler() as (_, address),
        workers(address, tmp_path, "--nthreads", 1, "--preload", tmp_path / "hide.py"),
    ):
        error = run(Phase("a", int), executor=f"dask:{address}").state.phase("a").error
    assert "A Dask worker cannot run phases: " in error
    assert f"Install milo-pipelines=={milo.__version__} on the workers" in error


def test_workers_of_another_version_are_told_of(dask_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_leases, "VERSION", "9.9")
    with pytest.raises(StateError, match=rf"its milo is version {milo.__version__}, and 9\.9 is needed"):
        run(Phase("a", int), executor=dask_cluster)


def test_a_worker_of_another_python_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    class Client:
        async def nthreads(self) -> dict[str, int]:
            return {"tcp://one": 2, "tcp://two": 3}

        async def get_versions(self, packages: list[str]) -> dict[str, Any]:
            milo_here = {packages[0]: milo.__version__}
            there = {name: {"packages": {"python": "3.9.1.final.0", **milo_here}} for name in ("one", "two")}
            return {"workers": there}

    assert asyncio.run(_checked(Client(), None)) == 5  # type: ignore[arg-type]
    assert "The Dask worker one has Python 3.9.1, and this program" in caplog.text


def test_a_scheduler_that_goes_away_fails_the_attempts_and_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_patience(monkeypatch)
    started = tmp_path / "started"
    policy = PhasePolicy("retry", 1, 0.0, then="skip")
    with scheduler() as (process, address), workers(address, tmp_path):

        def wait(path: str = str(started)) -> None:
            Path(path).touch()
            time.sleep(1000)

        def end() -> None:
            assert eventually(started.exists)
            process.process.kill()

        before = time.monotonic()
        result = milo.run(
            Pipeline(
                "p",
                Phase("a", wait, policy=policy, parallel=True),
                Phase("b", elsewhere.pid, policy=SKIP, parallel=True, depends_on=("end",)),
                Phase("end", end, runs_on="thread", parallel=True),
            ),
            executor=f"dask:{address}",
            max_workers=3,
        )
    assert time.monotonic() - before < 30
    for name in ("a", "b"):
        assert f"The Dask scheduler at {address} went away" in result.state.phase(name).error
    assert result.state.phase("a").attempt == 2


def test_a_scheduler_that_is_started_anew_runs_the_rest(tmp_path: Path) -> None:
    with scheduler() as (process, address), workers(address, tmp_path), ExitStack() as anew:

        def restart() -> None:
            process.process.kill()
            process.process.wait()
            anew.enter_context(scheduler(int(address.rpartition(":")[2])))
            anew.enter_context(workers(address, tmp_path))

        # One that is sent while the connection is made again fails.
        policy = PhasePolicy("retry", 5, 0.2, retry_on=(WorkerError,))
        result = run(
            Phase("a", elsewhere.pid),
            Phase("restart", restart, runs_on="thread", depends_on=("a",)),
            Phase("b", elsewhere.pid, depends_on=("restart",), timeout=30, policy=policy),
            executor=f"dask:{address}",
        )
    assert result.ok
    assert result.results["a"] != result.results["b"]


def test_workers_that_are_restarted_fail_what_they_ran_and_run_the_rest(
    dask_cluster: str, tmp_path: Path
) -> None:
    started = tmp_path / "started"

    def wait(path: str = str(started)) -> None:
        if not Path(path).exists():
            Path(path).touch()
            time.sleep(1000)

    def restart() -> None:
        from distributed import Client

        assert eventually(started.exists)
        with Client(dask_cluster.removeprefix("dask:"), set_as_default=False) as client:
            client.restart()

    result = run(
        # One that begins again while workers are still being restarted may meet the next.
        Phase("a", wait, policy=PhasePolicy("retry", 5, 0.2), parallel=True),
        Phase("restart", restart, runs_on="thread", parallel=True),
        Phase("b", elsewhere.pid, depends_on=("restart",)),
        executor=dask_cluster,
    )
    assert result.ok
    assert result.state.phase("a").attempt >= 2


def test_an_attempt_after_the_scheduler_was_given_up_fails_and_the_rest_of_the_run_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask closes its client once it has waited long enough for the scheduler to come back."""
    lose_patience(monkeypatch)
    started = tmp_path / "started"
    with scheduler() as (process, address), workers(address, tmp_path):

        def wait(path: str = str(started)) -> None:
            Path(path).touch()
            time.sleep(1000)

        def end() -> None:
            assert eventually(started.exists)
            process.process.kill()

        result = milo.run(
            Pipeline(
                "p",
                Phase("first", elsewhere.pid),
                Phase("a", wait, policy=PhasePolicy("retry", 2, 1.5), parallel=True, depends_on=("first",)),
                Phase("end", end, runs_on="thread", parallel=True, depends_on=("first",)),
            ),
            executor=f"dask:{address}",
            max_workers=2,
        )
    assert result.state.phase("first").status == "completed"
    assert result.state.phase("a").attempt == 3
    assert f"The Dask scheduler at {address} went away" in result.state.phase("a").error


def test_every_part_is_closed_whatever_the_one_before_raises() -> None:
    closed: list[str] = []

    class Part:
        def __init__(self, name: str) -> None:
            self._name = name

        async def close(self, timeout: float = 0.0) -> None:
            closed.append(self._name)

    class Broken:
        def close(self) -> None:
            raise LookupError("broken")

    with pytest.raises(LookupError):
        asyncio.run(_closed(Part("client"), Part("source"), Broken()))  # type: ignore[arg-type]
    assert closed == ["client", "source"]


def test_a_run_inside_a_phase_of_the_same_cluster_is_refused(dask_cluster: str) -> None:
    """Also where it knows the scheduler by another name."""

    def inner(executor: str = dask_cluster.replace("127.0.0.1", "localhost")) -> Any:
        return milo.run(Pipeline("inner", Phase("pid", elsewhere.pid)), executor=executor).results["pid"]

    async def awaited(executor: str = dask_cluster.replace("127.0.0.1", "localhost")) -> Any:
        return await milo.arun(Pipeline("inner", Phase("pid", elsewhere.pid)), executor=executor)

    result = run(
        Phase("a", inner, policy=SKIP, parallel=True),
        Phase("b", awaited, policy=SKIP, parallel=True),
        Phase("home", inner, runs_on="thread", depends_on=("a", "b")),
        executor=dask_cluster,
    )
    assert result.ok
    assert result.results["home"]
    for name in ("a", "b"):
        error = result.state.phase(name).error
        assert "was started by a phase that runs on one of its workers" in error
        assert "localhost" in error
