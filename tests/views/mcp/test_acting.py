"""One run at a time is started, waited for, gone on with and cancelled, and none is left when nobody wants it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from milo.errors import MiloError
from milo.journal import JournalError
from milo.journal.notes import leave_note
from milo.views.mcp import LaunchError, Order
from milo.views.mcp.acting import BusyError
from milo.views.mcp.look import NoRunError
from tests.journal.world import begin, complete, completed, ended, failed, start, started
from tests.views.mcp.world import TARGET, WAIT_S, FakeRun, Later, desk, gone_on, recorded, settled

pytestmark = pytest.mark.anyio
LISTED = "milo://pipeline/runs lists them; run_pipeline starts one."
DONE = (started("a"), completed("a"), started("b"), completed("b"), complete())


async def message_of(later: Any) -> str:
    with pytest.raises(MiloError) as error:
        await later
    return str(error.value)


async def test_a_run_is_followed_to_its_end(path: Path) -> None:
    async with desk(path) as at:
        order = Order(("a",), {"x": ["1"]}, True)
        later = Later(at.group, lambda: at.run(order))
        process = await at.launcher.run()
        while len(at.looks) < 1:
            await at.told.wait()
        process.record(*DONE)
        process.exit()
        look = await later.get()
        assert (look.run, look.status, look.state.progress) == ("r1", "completed", 1.0)
        assert at.looks[-1] is look
        progress = [each.state.progress for each in at.looks]
        assert progress == sorted(progress)
        assert at.launcher.orders == [order]
        assert process.calls == ["wait", "end"]


async def test_who_does_not_wait_is_told_that_it_has_begun(path: Path) -> None:
    async with desk(path) as at:
        look = await Later(at.group, lambda: at.run(wait=False)).get()
        assert (look.run, look.status, at.looks) == ("r1", "running", [])
        process = at.launcher.started[0]
        assert "cancel" not in process.calls
        assert await message_of(at.run()) == (
            "The run r1 is at work. Wait for it, following the timeline, or end it with cancel_run."
        )
        process.record(*DONE)
        process.exit()
        await at.acting._run.ended()  # type: ignore[union-attr]
        assert process.calls == ["wait", "end"]
        assert (await at.run(wait=False)).run == "r2"


async def test_who_does_not_wait_is_answered_when_it_has_begun_and_not_when_it_is_recorded(
    path: Path,
) -> None:
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(
            begin(path, at.launcher.pipeline, "r1", pid=os.getpid(), target=TARGET)
        )
        later = Later(at.group, lambda: at.run(wait=False))
        process = await at.launcher.run()
        with anyio.fail_after(WAIT_S):
            while at.acting._run is None or at.acting._run.look is None:
                await anyio.lowlevel.checkpoint()
        assert at.acting._run.look.status == "pending"
        await settled()
        assert not later.done
        process.record(start())
        assert (await later.get()).status == "running"
        assert at.looks == []


@pytest.mark.parametrize("before", [(started("a"),), (started("a"), failed("a"), ended())])
async def test_who_goes_on_with_a_run_is_not_answered_with_how_it_stood_before(
    path: Path, before: tuple[Any, ...]
) -> None:
    recorded(path, *before).close()
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(gone_on(path, order.run))
        later = Later(at.group, lambda: at.resume(wait=False))
        process = await at.launcher.run()
        with anyio.fail_after(WAIT_S):
            while at.acting._run is None or at.acting._run.look is None:
                await anyio.lowlevel.checkpoint()
        await settled()
        assert not later.done
        process.record(start(resumed=True))
        assert (await later.get()).status == "running"


async def test_a_second_run_is_refused_while_one_is_being_started(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.may_start = anyio.Event()
        first = Later(at.group, lambda: at.run(wait=False))
        await at.launcher.entered.wait()
        for again in (at.run, at.run):
            with pytest.raises(BusyError) as error:
                await again()
            assert str(error.value) == "A run is being started. Wait for it: read the timeline."
            assert error.value.code == "busy"
        at.launcher.may_start.set()
        assert (await first.get()).run == "r1"
        assert len(at.launcher.started) == 1


async def test_a_run_that_has_no_name_yet_is_a_run_all_the_same(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(None)
        later = Later(at.group, at.run)
        process = await at.launcher.run()
        await settled()
        assert (await message_of(at.run())).startswith("The run that was started last is at work.")
        assert await message_of(at.acting.cancel("r7")) == (
            "The run at work is just starting, not 'r7'. Name that one, or none."
        )
        process.exit(1)
        await message_of(later.get())


async def test_a_run_that_another_process_works_on_is_in_the_way(path: Path) -> None:
    theirs = recorded(path, started("a"), run="theirs")
    async with desk(path) as at:
        message = await message_of(at.run())
        assert message == (
            f"The run theirs is at work already: process {os.getpid()} has started it. "
            "Wait for it, following the timeline."
        )
        assert await message_of(at.resume()) == message
        assert await message_of(at.resume(Order(run="theirs"))) == message
        assert at.launcher.orders == []
        theirs.close()
        assert (await at.run(wait=False)).status == "running"


async def test_a_run_of_another_pipeline_is_not_in_the_way(path: Path) -> None:
    theirs = recorded(path, run="theirs", target="/other.py:pipeline")
    async with desk(path) as at:
        assert (await at.run(wait=False)).run == "r1"
    theirs.close()


async def test_what_cannot_be_started_is_told_and_the_next_may_be(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.refusal = LaunchError("milo cannot be started: no.")
        assert await message_of(at.run()) == "milo cannot be started: no."
        at.launcher.refusal = None
        assert (await at.run(wait=False)).run == "r1"


@pytest.mark.parametrize("wait", [True, False])
async def test_a_process_that_does_not_come_to_a_run_says_why(path: Path, wait: bool) -> None:
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(None, "milo ended with status 2.\n> no module")
        later = Later(at.group, lambda: at.run(wait=wait))
        (await at.launcher.run()).exit(2)
        assert await message_of(later.get()) == (
            "It did not come to a run: milo ended with status 2.\n> no module"
        )
        at.launcher.prepare = at.launcher.new_run
        assert (await at.run(wait=False)).status == "running"


async def test_a_process_that_was_killed_leaves_an_interrupted_run(path: Path) -> None:
    async with desk(path) as at:
        later = Later(at.group, at.run)
        process = await at.launcher.run()
        process.said = "milo ended with status -9.\n> no memory"
        process.record(started("a"))
        process.exit(-9)
        look = await later.get()
        assert (look.status, look.note) == ("interrupted", process.said)


async def test_what_the_process_of_a_run_says_is_told_only_where_the_run_has_not_said_how_it_ended(
    path: Path,
) -> None:
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(at.launcher.new_run(order).recorder, "warned")
        later = Later(at.group, at.run)
        process = await at.launcher.run()
        await at.told.wait()
        process.record(started("a"), failed("a"), ended())
        process.exit(1)
        look = await later.get()
        assert (look.status, look.note) == ("failed", "")


async def test_a_journal_that_cannot_be_read_is_told_and_nothing_is_started(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    async with desk(path) as at:
        for _ in range(2):
            with pytest.raises(JournalError) as error:
                await at.run()
            assert str(path) in str(error.value)
        assert at.launcher.orders == []


async def test_a_run_is_cancelled_and_seen_to_its_end(path: Path) -> None:
    async with desk(path) as at:
        running = Later(at.group, at.run)
        process = await at.launcher.run()
        await at.told.wait()
        stopping = Later(at.group, lambda: at.acting.cancel("r1"))
        await process.cancelled.wait()
        await settled()
        assert not stopping.done
        process.record(started("a"), ended("cancelled"))
        process.exit(130)
        assert (await stopping.get()).status == "cancelled"
        assert (await running.get()).status == "cancelled"
        assert process.calls == ["wait", "cancel", "end"]
        assert (await message_of(at.acting.cancel(""))).startswith("No run that this server has started")


@pytest.mark.parametrize("name", ["", "r1"])
async def test_there_is_nothing_to_cancel_where_this_server_has_started_nothing(
    path: Path, name: str
) -> None:
    theirs = recorded(path)
    async with desk(path) as at:
        assert await message_of(at.acting.cancel(name)) == (
            "No run that this server has started is at work. "
            "One that somebody else has started is theirs to stop, with Ctrl-C where it runs."
        )
    theirs.close()


async def test_another_run_than_the_one_at_work_is_not_cancelled(path: Path) -> None:
    async with desk(path) as at:
        await at.run(wait=False)
        assert await message_of(at.acting.cancel("r")) == (
            "The run at work is r1, not 'r'. Name that one, or none."
        )
        assert "cancel" not in at.launcher.started[0].calls


async def test_what_was_never_a_run_cannot_be_cancelled_into_one(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.prepare = lambda order: FakeRun(None, "stopped")
        running = Later(at.group, at.run)
        process = await at.launcher.run()
        await settled()
        stopping = Later(at.group, lambda: at.acting.cancel(""))
        await process.cancelled.wait()
        process.exit(130)
        for each in (running, stopping):
            assert await message_of(each.get()) == "It did not come to a run: stopped"


async def test_the_newest_run_that_was_not_finished_is_gone_on_with(path: Path) -> None:
    recorded(path, started("a"), failed("a"), ended(), run="older").close()
    recorded(path, started("a"), run="newer").close()
    recorded(path, *DONE, run="newest").close()
    recorded(path, started("a"), run="other", target="/other.py:pipeline").close()
    async with desk(path) as at:
        at.launcher.prepare = at.launcher.resumed
        later = Later(at.group, lambda: at.resume(Order(keep_going=True)))
        (await at.launcher.run()).exit()
        assert (await later.get()).run == "newer"
        later = Later(at.group, lambda: at.resume(Order(run="old")))
        (await at.launcher.run(1)).exit()
        assert (await later.get()).run == "older"
        assert at.launcher.orders == [Order(keep_going=True, run="newer"), Order(run="older")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "There is nothing to resume: no run of this pipeline is unfinished."),
        ("nope", "No run of this pipeline whose name begins with 'nope' is recorded."),
        ("run", "2 runs of this pipeline have names that begin with 'run'."),
        ("run-1", "The run run-1 cannot be resumed: it has completed."),
        ("run-2", "The run run-2 cannot be resumed: the disk was full."),
        ("other", "No run of this pipeline whose name begins with 'other' is recorded."),
        ("\ud800\u2028", "No run of this pipeline whose name begins with '\\ud800\\u2028' is recorded."),
    ],
)
async def test_what_cannot_be_gone_on_with_is_refused(path: Path, name: str, message: str) -> None:
    recorded(path, *DONE, run="run-1").close()
    recorded(path, started("a"), run="run-2").close()
    leave_note(path, "run-2", "the disk was full")
    recorded(path, started("a"), run="other", target="/other.py:pipeline").close()
    async with desk(path) as at:
        assert await message_of(at.resume(Order(run=name))) == f"{message} {LISTED}"
        assert at.launcher.orders == []


async def test_a_journal_with_nothing_in_it_is_as_good_as_none(path: Path) -> None:
    """It may be left so by whoever was killed when he made it; the first run makes it one."""
    path.touch()
    async with desk(path) as at:
        with pytest.raises(NoRunError, match="No run of this pipeline is recorded"):
            await at.resume()
        assert (await at.run(wait=False)).status == "running"


async def test_without_a_journal_there_is_nothing_to_resume(path: Path) -> None:
    async with desk(path) as at:
        with pytest.raises(NoRunError) as error:
            await at.resume()
        assert str(error.value) == f"No run of this pipeline is recorded. {LISTED}"


async def test_nothing_is_resumed_while_a_run_of_this_server_works(path: Path) -> None:
    recorded(path, started("a"), run="older").close()
    async with desk(path) as at:
        await at.run(wait=False)
        for name in ("", "older", "nope"):
            with pytest.raises(BusyError, match="The run r1 is at work"):
                await at.resume(Order(run=name))
        assert len(at.launcher.orders) == 1


async def test_the_whole_name_of_a_run_means_it_though_another_begins_with_it(path: Path) -> None:
    recorded(path, started("a"), run="run-1").close()
    recorded(path, started("a"), run="run-10").close()
    async with desk(path) as at:
        at.launcher.prepare = at.launcher.resumed
        later = Later(at.group, lambda: at.resume(Order(run="run-1")))
        (await at.launcher.run()).exit()
        assert (await later.get()).run == "run-1"


async def test_a_run_is_found_behind_however_many_of_another_pipeline(path: Path) -> None:
    recorded(path, started("a"), run="mine").close()
    for number in range(101):
        recorded(path, run=f"other{number}", target="/other.py:pipeline").close()
    async with desk(path) as at:
        at.launcher.prepare = at.launcher.resumed
        later = Later(at.group, at.resume)
        (await at.launcher.run()).exit()
        assert (await later.get()).run == "mine"


async def test_what_the_launcher_explains_is_passed_on(path: Path) -> None:
    async with desk(path) as at:
        at.launcher.explanation = {"phases": []}
        assert await at.acting.explain(Order(("a",))) == {"phases": []}
        at.launcher.explanation = LaunchError("no")
        assert await message_of(at.acting.explain(Order())) == "no"
