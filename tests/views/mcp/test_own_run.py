"""A run is found in the journal by its process, followed, and seen to its end."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from milo import run
from milo.journal import JournalError
from milo.views.mcp import own_run
from milo.views.mcp.look import Look
from milo.views.mcp.own_run import OwnRun, newest_number
from tests.journal.world import begin, complete, completed, pipeline_of, printed, start, started
from tests.views.mcp.world import TARGET, WAIT_S, FakeRun, recorded, settled

pytestmark = pytest.mark.anyio


async def next_of(own: OwnRun, seen: Look | None) -> Look | None:
    with anyio.fail_after(WAIT_S):
        return await own.after(seen)


def test_the_newest_run_of_a_journal_has_the_greatest_number(path: Path) -> None:
    assert newest_number(path) == 0
    path.touch()
    assert newest_number(path) == 0
    recorded(path, run="r1").close()
    first = newest_number(path)
    recorded(path, run="r2").close()
    assert newest_number(path) > first > 0


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_journal_has_no_newest_run(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError) as error:
        newest_number(path)
    assert str(path) in str(error.value)


def test_a_journal_that_goes_bad_while_it_is_read_is_told_in_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(path).close()

    def broken(connection: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(own_run, "run_rows", broken)
    with pytest.raises(JournalError) as error:
        newest_number(path)
    assert str(path) in str(error.value)


async def test_each_change_is_told_once_and_the_end_is_the_last(path: Path) -> None:
    process = FakeRun(recorded(path))
    own = OwnRun(process, path, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(own.attend)
        look = await next_of(own, None)
        assert look is not None
        assert (own.name, own.exit_status, look.status) == ("r1", None, "running")
        process.record(started("a"), printed("a", "x"))
        look = await next_of(own, look)
        assert look is not None
        assert look.state.leaves[0][0] == "running"
        process.record(completed("a"), started("b"), completed("b"), complete())
        process.exit(0)
        await own.ended()
        assert own.exit_status == 0
        last = await next_of(own, look)
        while last is not None:
            look, last = last, await next_of(own, last)
        assert look.status == "completed"
        assert await next_of(own, look) is None
    assert process.calls == ["wait", "end"]


async def test_a_run_of_another_process_is_not_taken_for_it(path: Path) -> None:
    """Somebody else may start a run at the same moment, in the same journal."""
    theirs = begin(path, pipeline_of("x"), "theirs", pid=1, target=TARGET)
    theirs.record([start()])
    process = FakeRun(None)
    own = OwnRun(process, path, 0)
    assert own._look() is None
    process.recorder = recorded(path, run="mine")
    later = begin(path, pipeline_of("x"), "later", pid=1, target=TARGET)
    look = own._look()
    assert look is not None
    assert look.run == "mine"
    async with anyio.create_task_group() as group:
        group.start_soon(own.attend)
        process.exit()
        await own.ended()
    theirs.close()
    later.close()


async def test_older_runs_of_the_same_process_are_not_taken_for_it(path: Path) -> None:
    """The number of a process may have been another's before."""
    recorded(path, run="old").close()
    process = FakeRun(None)
    own = OwnRun(process, path, newest_number(path))
    assert own._look() is None
    process.recorder = recorded(path, run="new")
    look = own._look()
    assert look is not None
    assert look.run == "new"
    own._follower.close()  # type: ignore[union-attr]
    process.exit()


def test_a_run_that_is_gone_on_with_is_its_own_from_then_on(path: Path) -> None:
    pipeline = pipeline_of("a", "b")
    recorder = begin(path, pipeline, "r1", pid=1)
    recorder.record([start(), started("a"), completed("a")])
    recorder.close()
    begin(path, pipeline, "r2", pid=1).close()
    own = OwnRun(FakeRun(None), path, newest_number(path), "r1")
    assert own._look() is None
    assert run(pipeline, journal=path, resume="r1").ok
    look = own._look()
    assert look is not None
    assert (look.run, look.status) == ("r1", "completed")
    own._follower.close()  # type: ignore[union-attr]
    assert own.launched.pid == os.getpid()


async def test_a_journal_that_cannot_be_read_for_a_while_ends_nothing(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    process = FakeRun(None)
    own = OwnRun(process, path, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(own.attend)
        await settled()
        assert own.look is None
        path.unlink()
        process.recorder = recorded(path)
        assert (await next_of(own, None)) is not None
        process.exit()
        await own.ended()


async def test_a_process_without_a_run_ends_without_a_look(path: Path) -> None:
    process = FakeRun(None)
    own = OwnRun(process, path, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(own.attend)
        process.exit(2)
        assert await next_of(own, None) is None
    assert (own.exit_status, own.look, own.name) == (2, None, "")


async def test_many_may_wait_for_the_same_run(path: Path) -> None:
    process = FakeRun(recorded(path))
    own, looks = OwnRun(process, path, 0), []

    async def wait() -> None:
        looks.append(await next_of(own, None))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(wait)
        group.start_soon(own.attend)
        while len(looks) < 5:
            await anyio.lowlevel.checkpoint()
        process.exit()
    assert len({id(look) for look in looks}) == 1


async def test_what_is_given_up_is_cancelled_ended_and_closed(path: Path) -> None:
    process = FakeRun(recorded(path))
    own = OwnRun(process, path, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(own.attend)
        await next_of(own, None)
        group.cancel_scope.cancel()
    assert process.calls == ["wait", "cancel", "end"]
    assert own.exit_status is None
    await own.ended()
    with pytest.raises(sqlite3.ProgrammingError):
        own._follower._connection.execute("SELECT 1")  # type: ignore[union-attr]
