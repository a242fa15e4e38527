"""What the recorder has taken is durable when it returns, and what it cannot keep it says."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milo import Phase, Pipeline
from milo.journal import faults
from milo.journal.database import open_reader
from milo.journal.errors import JournalError
from milo.journal.journal import Journal
from milo.journal.notes import note_of
from milo.journal.replay import load_result
from tests.journal.world import (
    about,
    begin,
    complete,
    completed,
    declare,
    ended,
    failed,
    nothing,
    pipeline_of,
    printed,
    replayed,
    start,
    started,
    state_of,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def result_of(path: Path, phase: str, **more: Any) -> Any:
    recorded, _ = replayed(path)
    connection = open_reader(path)
    try:
        return load_result(connection, recorded.row.number, recorded.completions[phase], **more)
    finally:
        connection.close()


def test_durable_when_it_returns(path: Path) -> None:
    """Another process sees each batch as soon as `record` returns, while the run goes on."""
    pipeline = pipeline_of("a", "b")
    recorder = begin(path, pipeline)
    actions = [start(), started("a"), completed("a", [1]), started("b"), failed("b"), ended()]
    for number, action in enumerate(actions, 1):
        recorder.record([action])
        recorded, rows = replayed(path)
        assert recorded.actions == number
        assert recorded.state == state_of(pipeline, actions[:number])
        assert not rows.damage
    recorder.finish(state_of(pipeline, actions))
    recorder.close()
    assert replayed(path)[0].verdicts == [True]


def test_wrong_end_is_told(path: Path) -> None:
    """A live state that is not what the actions lead to is told by the verdict."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), started("a")])
    recorder.finish(state_of(pipeline_of("a"), [start()]))
    recorder.close()
    assert replayed(path)[0].verdicts == [False]


@pytest.mark.parametrize("result", [None, 1, "x" * 10, "x" * 100_000, {"a": [1.5] * 500}], ids=type)
def test_results(path: Path, result: Any) -> None:
    """Results come back, small and large."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), started("a"), completed("a", result)])
    recorder.close()
    assert result_of(path, "a") == result


def test_snapshot(path: Path) -> None:
    """A result is kept as it was when it was taken, whatever later phases do to it."""
    recorder = begin(path, pipeline_of("a", "b", "c"))
    result, other = [1], [1]
    recorder.snapshot("a", result)
    recorder.snapshot("c", 5)
    for each in (result, other):
        each.append(2)
    recorder.record([start(), completed("a", result), completed("b", other), completed("c", 5)])
    recorder.close()
    assert result_of(path, "a") == [1]
    assert result_of(path, "b") == [1, 2]
    assert result_of(path, "c") == 5


def test_snapshot_of_another_result(path: Path) -> None:
    """A result that was taken and never completed is not mistaken for that of a later attempt."""
    recorder = begin(path, pipeline_of("a"))
    recorder.snapshot("a", ["first attempt"])
    recorder.record([start(), completed("a", ["second attempt"])])
    recorder.close()
    assert result_of(path, "a") == ["second attempt"]


def test_what_cannot_be_kept(path: Path) -> None:
    """A result that cannot be kept is said once, with the path to it; the completion counts all the same."""
    said: list[tuple[str, str]] = []
    pipeline = pipeline_of("a", "b")
    recorder = Journal(path).begin(
        "r1", about(pipeline), declare(pipeline), lambda *message: said.append(message)
    )
    recorder.record([start(), completed("a", {"x": 3j})])
    recorder.record([completed("b")])
    recorder.close()
    assert [name for name, _ in said] == ["a"]
    assert "The result of phase 'a'['x'] cannot be kept: it is of the type complex" in said[0][1]
    recorded, _ = replayed(path)
    assert "complex" in recorded.completions["a"].kept.reason  # type: ignore[union-attr]
    assert recorded.state.phase("a").status == "completed"


def test_persist_false(path: Path) -> None:
    """The result of a phase with persist=False reaches no file, and nothing is said about it."""
    said: list[Any] = []
    pipeline = Pipeline("p", Phase("a", nothing, persist=False), Phase("b", nothing))
    recorder = Journal(path).begin(
        "r1", about(pipeline), declare(pipeline), lambda *message: said.append(message)
    )
    for secret in ("hunter2", ["hunter2"], object()):
        recorder.snapshot("a", secret)
        recorder.record([completed("a", secret)])
    recorder.record([completed("b", "open")])
    recorder.close()
    assert said == []
    everything = b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())
    assert b"open" in everything
    assert b"hunter2" not in everything


def test_pickle(path: Path) -> None:
    """With serializer="pickle" what the codec refuses is pickled, and read only by who asks for that too."""
    pipeline = pipeline_of("a")
    recorder = Journal(path, serializer="pickle").begin("r1", about(pipeline), declare(pipeline))
    recorder.record([completed("a", 3j)])
    recorder.close()
    assert result_of(path, "a", serializer="pickle") == 3j
    with pytest.raises(JournalError, match="pickled"):
        result_of(path, "a")


def test_output(path: Path) -> None:
    """Each phase's complete output stands in its file, and its last lines in the journal."""
    pipeline = pipeline_of("a", "b", max_logs=3)
    recorder = begin(path, pipeline)
    actions = [start(), started("a")]
    actions += [printed("a", f"line {number}") for number in range(50)]
    actions += [printed("b", "\x1b[1mx\x1b[0m", "stderr"), completed("a"), started("b"), complete()]
    for at in range(0, len(actions), 7):
        recorder.record(actions[at : at + 7])
    recorder.finish(state_of(pipeline, actions))
    assert recorder.output_path("a").read_text() == "".join(f"line {number}\n" for number in range(50))
    assert recorder.output_path("b").read_text() == "x\n"
    recorder.close()
    recorded, _ = replayed(path)
    assert recorded.verdicts == [True]
    assert recorded.state == state_of(pipeline, actions)
    assert recorded.actions < len(actions)


def test_many_actions_in_one_batch(path: Path) -> None:
    """A batch of any size is one transaction."""
    names = [f"p{number}" for number in range(300)]
    pipeline = pipeline_of(*names)
    actions = [start(), *(action for name in names for action in (started(name), completed(name, name * 50)))]
    recorder = begin(path, pipeline)
    recorder.record(actions)
    recorder.close()
    recorded, _ = replayed(path)
    assert recorded.state == state_of(pipeline, actions)
    assert result_of(path, "p299") == "p299" * 50


@pytest.mark.parametrize(
    "point", ["output written", "transaction begun", "records inserted", "before commit"]
)
def test_failure_in_the_middle(path: Path, point: str) -> None:
    """A batch that fails is not there at all, and the recorder takes no more: what is there can be gone on with."""
    pipeline = pipeline_of("a", "b")
    recorder = begin(path, pipeline)
    recorder.record([start(), started("a")])

    def fail(reached: str) -> None:
        if reached == point:
            raise OSError(28, os.strerror(28))

    faults.set_hook(fail)
    try:
        with pytest.raises(JournalError, match="the disk is full"):
            recorder.record([completed("a"), started("b")])
    finally:
        faults.set_hook(None)
    assert recorder.error is not None
    with pytest.raises(JournalError, match="the disk is full"):
        recorder.record([completed("b")])
    with pytest.raises(JournalError, match="the disk is full"):
        recorder.finish(state_of(pipeline, []))
    recorder.close()
    recorded, _ = replayed(path)
    assert (recorded.actions, recorded.broken, note_of(path, "r1")) == (2, "", "")
    with closing(Journal(path)) as journal:
        taken = journal.take("r1")
        assert taken.recorded.state.phase("a").status == "running"
        taken.release()


def test_a_run_that_goes_on_unrecorded_is_marked_as_not_resumable(path: Path) -> None:
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start()])

    def fail(reached: str) -> None:
        raise OSError(28, os.strerror(28))

    faults.set_hook(fail)
    try:
        with pytest.raises(JournalError, match="the disk is full"):
            recorder.record([started("a")])
    finally:
        faults.set_hook(None)
    recorder.mark_gap()
    assert "the disk is full" in note_of(path, "r1")
    recorder.close()
    recorded, _ = replayed(path)
    assert recorded.actions == 1
    assert "the disk is full" in recorded.broken
    assert note_of(path, "r1") == ""
    with closing(Journal(path)) as journal, pytest.raises(JournalError, match="went on after its journal"):
        journal.take("r1")


def test_failure_that_cannot_be_said_in_the_journal(path: Path) -> None:
    """Where the journal stays unwritable, the file of the lock says that the run cannot be resumed."""
    recorder = begin(path, pipeline_of("a"))

    def fail(reached: str) -> None:
        if reached == "transaction begun":
            recorder._connection.execute("PRAGMA query_only = ON")
            raise OSError(5, os.strerror(5))

    faults.set_hook(fail)
    try:
        with pytest.raises(JournalError, match="reports an error"):
            recorder.record([start()])
    finally:
        faults.set_hook(None)
    recorder.mark_gap()
    recorder.close()
    assert "reports an error" in note_of(path, "r1")
    for _ in range(2):
        with (
            closing(Journal(path)) as journal,
            pytest.raises(JournalError, match="went on after its journal"),
        ):
            journal.take("r1")


@pytest.mark.parametrize("what", ["runs.db", "runs.db-wal"])
@pytest.mark.parametrize("harm", ["deleted", "replaced"])
def test_deleted_or_replaced_while_running(path: Path, what: str, harm: str) -> None:
    """A journal that is deleted or replaced is noticed with the next batch: nothing is claimed that would be lost."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start()])
    file = path.parent / what
    file.rename(path.parent / "elsewhere")
    if harm == "replaced":
        file.write_bytes(b"")
    with pytest.raises(JournalError, match=harm):
        recorder.record([started("a")])
    recorder.close()


def test_two_writers(path: Path) -> None:
    """Two that write to one run in spite of the locks never mix: the second to commit is refused."""
    pipeline = pipeline_of("a")
    first = begin(path, pipeline)
    second_path = path.parent / "other.db"
    second = begin(second_path, pipeline)
    second._connection.close()
    second._connection = sqlite3.connect(path, isolation_level=None)
    second.path = path
    first.record([start(), started("a")])
    with pytest.raises(JournalError, match="another process writes to the same run"):
        second.record([start(), started("a")])
    first.close()
    second.close()
    recorded, rows = replayed(path)
    assert recorded.actions == 2
    assert not rows.damage


def test_close_twice(path: Path) -> None:
    """Closing again does nothing."""
    recorder = begin(path, pipeline_of("a"))
    recorder.close()
    recorder.close()
