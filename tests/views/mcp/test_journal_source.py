"""The newest run of a journal is shown as it goes on, whoever records it, and what becomes of its process."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milo.journal import JournalError
from milo.journal.notes import leave_note
from milo.journal.recorder import Recorder
from milo.views.mcp import JournalSource
from milo.views.mcp.look import NoRunError
from tests.journal.world import (
    begin,
    complete,
    completed,
    ended,
    failed,
    pipeline_of,
    printed,
    start,
    started,
)
from tests.views.mcp.world import TARGET, gone_on, in_threads, recorded

DONE = [started("a"), completed("a"), started("b"), completed("b"), complete()]


@pytest.fixture
def source(path: Path) -> Iterator[JournalSource]:
    source = JournalSource(path)
    yield source
    source.close()


def test_a_run_is_followed_from_its_start_to_its_end(path: Path, source: JournalSource) -> None:
    recorder = recorded(path)
    look = source.look()
    assert (look.run, look.status, look.note) == ("r1", "running", "")
    assert [phase.name for phase in look.phases or ()] == ["a", "b"]
    assert look.now is not None
    assert look.now <= time.monotonic()
    recorder.record([started("a"), printed("a", "x"), completed("a")])
    assert [leaf[0] for leaf in source.look().state.leaves] == ["completed", "pending"]
    recorder.record([started("b"), completed("b"), complete()])
    assert source.look().status == "completed"
    recorder.close()
    look = source.look()
    assert (look.status, look.now, look.state.progress) == ("completed", None, 1.0)


def test_nothing_new_is_the_same_state(path: Path, source: JournalSource) -> None:
    recorder = recorded(path, started("a"))
    first = source.look()
    second = source.look()
    assert first.state is second.state
    assert first.phases is second.phases
    recorder.record([printed("a", "x")])
    assert source.look().state is not first.state
    recorder.close()


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        ([], "interrupted"),
        ([started("a")], "interrupted"),
        ([started("a"), failed("a"), ended()], "failed"),
        ([started("a"), failed("a")], "failed"),
        ([started("a"), completed("a"), started("b"), completed("b"), complete()], "completed"),
    ],
)
def test_a_run_that_nobody_works_on_any_more_is_not_running(
    path: Path, source: JournalSource, actions: list[Any], status: str
) -> None:
    recorder = recorded(path, *actions)
    source.look()
    recorder.close()
    look = source.look()
    assert (look.status, look.now) == (status, None)


def test_a_run_that_ends_between_two_questions_is_not_taken_for_dead(
    path: Path, source: JournalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who works on it is asked before what it has recorded."""
    recorder = recorded(path, started("a"))
    source.look()
    follower = source._follower
    assert follower is not None
    poll, holder = follower.poll, follower.holder

    def then_ended(question: Callable[[], Any]) -> Any:
        found = question()
        recorder.record([completed("a"), started("b"), completed("b"), complete()])
        recorder.close()
        monkeypatch.undo()
        return found

    monkeypatch.setattr(follower, "poll", lambda: then_ended(poll))
    monkeypatch.setattr(follower, "holder", lambda: then_ended(holder))
    assert source.look().status == "completed"


def test_time_passes_only_for_runs_of_this_machine(
    path: Path, source: JournalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine's monotonic clock means nothing here."""
    recorder = recorded(path, started("a"))
    assert source.look().now is not None
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert (source.look().now, source.look().status) == (None, "running")
    recorder.close()


def test_the_next_run_is_shown_as_soon_as_there_is_one(path: Path, source: JournalSource) -> None:
    recorded(path, started("a")).close()
    assert source.look().run == "r1"
    second = recorded(path, run="r2")
    assert (source.look().run, source.look().status) == ("r2", "running")
    second.close()


def again(path: Path, run: str, at: float) -> Recorder:
    """A run is gone on with at that time; see `about` for when runs are begun."""
    recorder = gone_on(path, run, time=at)
    recorder.record([start(resumed=True)])
    return recorder


def test_a_run_that_is_gone_on_with_is_shown_until_another_is_begun(
    path: Path, source: JournalSource
) -> None:
    """Whoever has resumed it, and reads what became of it, would be told of another run."""
    recorded(path, started("a"), failed("a"), ended(), run="r1").close()
    recorded(path, *DONE, run="r2").close()
    assert source.look().run == "r2"
    recorder = again(path, "r1", 1001.0)
    assert (source.look().run, source.look().status) == ("r1", "running")
    recorder.record(DONE)
    recorder.close()
    for each in (source, JournalSource(path)):
        assert (each.look().run, each.look().status) == ("r1", "completed")
        each.close()
    begin(path, pipeline_of("a"), "r3", time=1002.0).close()
    assert source.look().run == "r3"


def test_of_runs_that_were_gone_on_with_the_last_is_shown(path: Path, source: JournalSource) -> None:
    for run in ("r1", "r2", "r3"):
        recorded(path, started("a"), run=run).close()
    for run, at in [("r2", 1001.0), ("r1", 1002.0), ("r3", 1003.0), ("r2", 1004.0)]:
        again(path, run, at).close()
        assert source.look().run == run


def test_of_the_target_alone_it_counts_when_a_run_was_gone_on_with(path: Path) -> None:
    recorded(path, started("a"), run="mine").close()
    recorded(path, started("a"), run="other", target="/other.py:pipeline").close()
    recorded(path, started("a"), run="newer").close()
    again(path, "other", 1001.0).close()
    source = JournalSource(path, TARGET)
    assert source.look().run == "newer"
    source.close()


def test_where_nobody_can_tell_when_a_run_was_gone_on_with_the_newest_is_shown(
    path: Path, source: JournalSource
) -> None:
    for run in ("r1", "r2"):
        recorded(path, started("a"), run=run).close()
    again(path, "r1", 1001.0).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE records SET data = x'01ff' WHERE substr(data, 1, 1) = x'01' AND place & 255 > 1"
        )
    connection.close()
    assert source.look().run == "r2"


def test_only_runs_of_the_target_are_shown(path: Path) -> None:
    recorded(path, run="mine").close()
    recorded(path, run="other", target="/other.py:pipeline").close()
    source = JournalSource(path, TARGET)
    assert source.look().run == "mine"
    assert [run["run"] for run in source.runs()] == ["mine"]
    source.close()
    source = JournalSource(path, "/none.py:pipeline")
    with pytest.raises(NoRunError) as error:
        source.look()
    assert str(error.value) == (
        f"The journal {path} holds no run of /none.py:pipeline yet. "
        "A run is shown as soon as somebody starts one: milo run."
    )
    assert source.runs() == []
    source.close()


def test_before_there_is_a_journal_the_next_step_is_told(path: Path, source: JournalSource) -> None:
    with pytest.raises(NoRunError) as error:
        source.look()
    assert str(error.value) == (
        f"No run is recorded yet: there is no journal {path}. "
        "A run is shown as soon as somebody starts one: milo run."
    )
    assert source.runs() == []
    assert not path.exists()
    recorder = recorded(path)
    assert source.look().run == "r1"
    recorder.close()


def test_a_journal_without_runs_says_so(path: Path, source: JournalSource) -> None:
    recorded(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM runs")
    connection.close()
    with pytest.raises(NoRunError, match="holds no run yet"):
        source.look()


def test_a_journal_that_has_just_been_made_holds_no_run_yet(path: Path, source: JournalSource) -> None:
    """As whoever makes one leaves it for a moment, or for ever where it is killed then."""
    path.touch()
    with pytest.raises(NoRunError, match=r"runs\.db holds no run yet\. A run is shown as soon as"):
        source.look()
    assert source.runs() == []
    recorded(path).close()
    assert source.look().run == "r1"


@pytest.mark.parametrize("name", ["x" * 300, "file/runs.db"])
def test_a_journal_that_cannot_be_there_is_not_one_that_is_yet_to_come(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    source = JournalSource(tmp_path / name)
    for question in (source.look, source.runs):
        with pytest.raises(JournalError, match="cannot be"):
            question()


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def test_a_journal_that_is_removed_and_made_anew_is_shown_as_it_is_now(
    path: Path, source: JournalSource
) -> None:
    recorded(path, run="old").close()
    assert source.look().run == "old"
    remove(path)
    with pytest.raises(NoRunError):
        source.look()
    recorded(path, run="new").close()
    assert source.look().run == "new"
    remove(path)
    recorded(path, run="newer").close()
    assert source.look().run == "newer"


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_journal_is_refused_until_it_is_one(
    path: Path, tmp_path: Path, content: bytes, source: JournalSource
) -> None:
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises((JournalError, NoRunError)) as error:
            source.look()
        assert str(path) in str(error.value)
    remove(path)
    recorded(path).close()
    assert source.look().run == "r1"


def test_a_journal_that_goes_bad_under_its_reader_is_refused_and_looked_at_anew(
    path: Path, tmp_path: Path, source: JournalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(path, started("a")).close()
    source.look()
    follower = source._follower
    assert follower is not None

    def broken() -> Any:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(follower, "poll", broken)
    with pytest.raises(JournalError) as error:
        source.look()
    assert str(path) in str(error.value)
    assert source._follower is None
    assert source.look().run == "r1"


def test_what_is_damaged_is_noted(path: Path, source: JournalSource) -> None:
    recorded(path, started("a"), completed("a"), started("b"), completed("b"), complete()).close()
    with sqlite3.connect(path) as connection:
        (place,) = connection.execute("SELECT max(place) FROM records").fetchone()
        connection.execute("UPDATE records SET data = x'00' || data WHERE place = ?", (place - 1,))
    connection.close()
    look = source.look()
    assert look.note.startswith("The journal is damaged ")
    assert look.status == "interrupted"
    assert look.state.progress == 0.5


def test_a_run_that_went_on_without_its_journal_is_told_to_be_no_more_resumable_than_it_is(
    path: Path, source: JournalSource
) -> None:
    recorder = recorded(path, started("a"))
    leave_note(path, "r1", "the disk was full")
    assert (source.look().status, source.look().note) == ("running", "")
    recorder.close()
    look = source.look()
    assert (look.status, look.note, look.resumable) == ("interrupted", "the disk was full", False)
    assert source.runs()[0]["resumable"] is False


def test_a_damaged_run_that_is_gone_on_with_is_followed_again(path: Path, source: JournalSource) -> None:
    """Whoever goes on with it cuts off what is damaged; as long as nobody does, it is not read again and again."""
    recorded(path, started("a"), completed("a"), started("b"), completed("b")).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE records SET data = x'00' || data WHERE place = (SELECT max(place) FROM records)"
        )
    connection.close()
    look = source.look()
    assert look.note.startswith("The journal is damaged ")
    assert source.look().state is look.state
    recorder = gone_on(path, "r1")
    recorder.record([start(resumed=True), completed("b"), complete()])
    recorder.close()
    assert (source.look().status, source.look().note) == ("completed", "")


def test_runs_are_told_with_what_can_be_done_with_them(path: Path, source: JournalSource) -> None:
    recorded(path, started("a"), failed("a"), ended(), run="first").close()
    second = recorded(path, run="second")
    newer, older = source.runs()
    assert (newer["run"], newer["status"], newer["resumable"], newer["pid"]) == (
        "second",
        "running",
        False,
        os.getpid(),
    )
    assert (older["run"], older["status"], older["resumable"], older["pid"]) == (
        "first",
        "failed",
        True,
        None,
    )
    second.close()


def test_a_hundred_runs_are_listed_at_most(path: Path, source: JournalSource) -> None:
    pipeline = pipeline_of("a")
    for number in range(105):
        begin(path, pipeline, f"r{number}").close()
    assert len(source.runs()) == 100
    assert source.runs()[0]["run"] == "r104"


def test_the_complete_output_of_each_phase_is_named(path: Path, source: JournalSource) -> None:
    recorded(path, started("a"), printed("a", "x")).close()
    output = source.look().output
    assert output is not None
    found = output("a")
    assert found.parent.parent == path.parent / "logs"
    assert found.parent.name == "r1"


def test_several_threads_may_look_at_once(path: Path, source: JournalSource) -> None:
    recorder = recorded(path, started("a"))
    looks: list[Any] = []
    in_threads(4, lambda: looks.extend([source.look().run, *(run["run"] for run in source.runs())]))
    assert looks == ["r1"] * 8
    recorder.close()


def test_what_is_closed_opens_again_when_somebody_looks(path: Path, source: JournalSource) -> None:
    recorded(path).close()
    source.look()
    source.close()
    source.close()
    assert (source._connection, source._follower) == (None, None)
    assert source.look().run == "r1"


def test_nobody_is_woken_by_another_process(source: JournalSource) -> None:
    assert source.polled
    source.watch(lambda: pytest.fail("woken"))()


def test_what_was_begun_without_a_start_is_pending_until_its_process_is_gone(
    path: Path, source: JournalSource
) -> None:
    recorder = begin(path, pipeline_of("a"), target=TARGET)
    assert source.look().status == "pending"
    recorder.record([start()])
    assert source.look().status == "running"
    recorder.close()


@pytest.mark.parametrize("before", [[started("a")], [started("a"), failed("a"), ended()]])
def test_what_is_gone_on_with_is_pending_until_it_has_begun_whatever_it_came_to_before(
    path: Path, source: JournalSource, before: list[Any]
) -> None:
    """Nor does time pass for what another process has left going, perhaps before the machine was started anew."""
    recorded(path, *before).close()
    assert source.look().status in ("interrupted", "failed")
    recorder = gone_on(path, "r1")
    look = source.look()
    assert (look.status, look.now) == ("pending", None)
    recorder.record([start(resumed=True)])
    look = source.look()
    assert look.status == "running"
    assert look.now is not None
    recorder.close()


def test_what_was_taken_up_again_and_not_gone_on_with_is_interrupted(
    path: Path, source: JournalSource
) -> None:
    """As `milo history` tells it; how it ended before is no longer how it stands."""
    recorded(path, started("a"), failed("a"), ended()).close()
    gone_on(path, "r1").close()
    assert (source.look().status, source.runs()[0]["status"]) == ("interrupted", "interrupted")


def test_a_run_that_is_cancelled_before_it_starts_is_cancelled(path: Path, source: JournalSource) -> None:
    recorder = begin(path, pipeline_of("a"), target=TARGET)
    recorder.record([ended("cancelled")])
    assert source.look().status == "cancelled"
    recorder.close()
    assert source.look().status == "cancelled"
