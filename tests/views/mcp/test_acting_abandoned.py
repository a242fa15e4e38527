"""Whoever has asked for a run may go away at any moment: nothing of it is left at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from milo.views.mcp import Order
from milo.views.mcp.look import Look
from tests.journal.world import complete, completed, started
from tests.views.mcp.world import WAIT_S, Desk, FakeRun, Later, desk

pytestmark = pytest.mark.anyio


class Reached:
    """The moments at which something is waited for; at one of them something happens."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.then: Callable[[], None] | None = None
        self.happened = False

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0 and self.then is not None:
            self.happened = True
            self.then()


def watched(at: Desk, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run go from its start to its end by itself, and each moment be noticed at which it waits."""
    in_thread = anyio.to_thread.run_sync

    async def run_sync(*arguments: Any, **options: Any) -> Any:
        reached()
        found = await in_thread(*arguments, **options)
        reached()
        return found

    def prepare(order: Order) -> FakeRun:
        process = at.launcher.new_run(order)
        cancel = process.cancel

        def end() -> None:
            cancel()
            process.exit(130)

        process.cancel = end  # type: ignore[method-assign]
        reached()
        return process

    async def report(look: Look) -> None:
        reached()
        await anyio.lowlevel.checkpoint()
        process = at.launcher.started[0]
        if process.recorder is not None and look.state.progress == 0.0:
            process.record(started("a"), completed("a"))
        elif process.recorder is not None:
            process.record(started("b"), completed("b"), complete())
            process.exit()
        reached()

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
    at.launcher.prepare = prepare
    at.report = report  # type: ignore[method-assign]


async def goes_away(path: Path, monkeypatch: pytest.MonkeyPatch, number: int, who: str) -> bool:
    """Have a request or the whole server go away at the moment of this number; whether there is such a moment."""
    reached = Reached(number)
    async with desk(path) as at:
        watched(at, reached, monkeypatch)
        later = Later(at.group, at.run)
        scope = later.scope if who == "request" else at.group.cancel_scope
        reached.then = scope.cancel
        await later.get()
        if at.acting._run is not None:
            with anyio.fail_after(WAIT_S):
                await at.acting._run.ended()
        reached.then = None
        at.launcher.prepare = at.launcher.new_run
        again = await at.run(wait=False)
        assert again.run == f"r{len(at.launcher.started)}"
    for process in at.launcher.started:
        assert process.calls.count("end") == 1
        assert "cancel" in process.calls or process.status == 0
    return reached.happened


@pytest.mark.parametrize("who", ["request", "server"])
async def test_whoever_goes_away_at_any_moment_leaves_nothing_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Whenever that is, the process is cancelled and ended, and where there still is a server another may start."""
    for number in range(1, 100):
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patch:
            if not await goes_away(folder / "runs.db", patch, number, who):
                break
    assert 10 < number < 99


async def test_a_request_that_is_cancelled_while_its_process_starts_leaves_the_next_free(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.may_start = anyio.Event()
        later = Later(at.group, at.run)
        await at.launcher.entered.wait()
        later.scope.cancel()
        await later.get()
        at.launcher.may_start.set()
        assert (await at.run(wait=False)).run == "r1"


async def test_a_request_to_cancel_that_is_itself_cancelled_has_cancelled_the_run(path: Path) -> None:
    async with desk(path) as at:
        running = Later(at.group, at.run)
        process = await at.launcher.run()
        await at.told.wait()
        stopping = Later(at.group, lambda: at.acting.cancel(""))
        await process.cancelled.wait()
        stopping.scope.cancel()
        await stopping.get()
        process.exit(130)
        assert (await running.get()).status == "interrupted"


async def test_a_run_that_nobody_waits_for_ends_with_the_server(path: Path) -> None:
    async with desk(path) as at:
        await at.run(wait=False)
    process = at.launcher.started[0]
    assert process.calls == ["wait", "cancel", "end"]
