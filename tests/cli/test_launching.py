"""`milo` in child processes for the tools of agents: nothing an agent says is an option, and none is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from milo.cli import launching
from milo.cli.launching import ChildLauncher
from milo.views.mcp import LaunchError, Order
from tests.execution.processes import Mark, eventually, needs_proc

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0
ECHO = """
import sys
from milo import Phase, Pipeline

def pipeline(text: str = "", *, more: list[str] = ()):
    (open("given", "w")).write(repr((text, list(more))))
    return Pipeline("echo", Phase("--help", lambda: None), Phase("a b", lambda: None), Phase("-", lambda: 1 / 0))
"""
STUBBORN = """
import os, signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
from milo import Phase, Pipeline, sh

def wait():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    sh("trap '' TERM; while :; do sleep 1; done")

pipeline = Pipeline("stubborn", Phase("wait", wait))
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MILO_")]:
        monkeypatch.delenv(name)
    (tmp_path / "pipeline.py").write_text(ECHO)
    return tmp_path


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mark]:
    mark = Mark()
    for name, value in mark.env.items():
        monkeypatch.setenv(name, value)
    yield mark
    for pid in mark.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def launcher(folder: Path) -> ChildLauncher:
    return ChildLauncher(f"{folder / 'pipeline.py'}:pipeline", folder / "runs.db")


async def ran(folder: Path, order: Order) -> tuple[int, str]:
    """Run to the end; returns the exit status and what was said."""
    with anyio.fail_after(PATIENCE_S):
        launched = await launcher(folder).start(order)
        status = await launched.wait()
        await launched.end()
    return status, launched.said


async def test_whatever_a_phase_is_called_it_is_read_as_a_phase(folder: Path) -> None:
    assert await ran(folder, Order(("--help", "a b"))) == (0, "")
    status, said = await ran(folder, Order(("--version",)))
    assert status == 2
    assert said.startswith("Phase '--version' does not exist. Available phases: --help, a b, -.")


@pytest.mark.parametrize("text", ["--quiet", "-p", "a=b", " spaced ", "ü\n2", "'\"$(id)`;"])
async def test_values_arrive_as_they_are(folder: Path, text: str) -> None:
    assert (await ran(folder, Order(("a b",), {"text": [text], "more": ["x", text]})))[0] == 0
    assert (folder / "given").read_text() == repr((text, ["x", text]))


async def test_a_failing_run_has_the_status_of_one(folder: Path) -> None:
    assert (await ran(folder, Order(("-",))))[0] == 1


async def test_what_the_environment_says_of_views_and_journals_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {
        "MILO_JSON": "1",
        "MILO_TUI": "1",
        "MILO_DRY_RUN": "1",
        "MILO_JOURNAL": "off",
        "MILO_RESUME": "newest",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert (await ran(folder, Order(("a b",))))[0] == 0
    assert (folder / "runs.db").exists()


async def test_explaining_loads_the_pipeline_and_runs_nothing(folder: Path) -> None:
    explained = await launcher(folder).explain(Order(("a b",), {"text": ["x"]}))
    assert [each["phase"] for each in explained["phases"]] == ["a b"]
    assert (folder / "given").read_text() == repr(("x", []))
    assert not (folder / "runs.db").exists()


async def test_what_cannot_be_explained_is_told_in_the_words_of_milo(folder: Path) -> None:
    with pytest.raises(LaunchError, match=r"^Phase 'nope' does not exist"):
        await launcher(folder).explain(Order(("nope",)))


async def test_what_no_process_can_be_given_is_refused(folder: Path) -> None:
    with pytest.raises(LaunchError, match="milo cannot be started"):
        await launcher(folder).start(Order(parameters={"text": ["x" * 3_000_000]}))


@needs_proc
async def test_a_run_that_does_not_heed_is_killed_with_all_that_it_has_started(
    folder: Path, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "_END_S", 0.2)
    monkeypatch.setenv("MILO_GRACE", "1000")
    (folder / "pipeline.py").write_text(STUBBORN)
    launched = await launcher(folder).start(Order())
    assert await anyio.to_thread.run_sync(lambda: eventually(lambda: len(mark.processes()) > 2))
    launched.cancel()
    with anyio.fail_after(PATIENCE_S):
        await launched.end()
    assert await anyio.to_thread.run_sync(lambda: eventually(mark.gone))


@needs_proc
async def test_a_question_that_nobody_waits_for_any_more_is_given_up(folder: Path, mark: Mark) -> None:
    (folder / "pipeline.py").write_text(
        "import time, pathlib\npathlib.Path('loading').touch()\ntime.sleep(1000)\n"
    )

    async def ask() -> Any:
        await launcher(folder).explain(Order())

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        assert await anyio.to_thread.run_sync(lambda: eventually((folder / "loading").exists))
        group.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(lambda: eventually(mark.gone))
