"""The runs of a journal at a glance: what came of them, and whether they can be resumed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from milo import Action
from milo.journal.database import open_reader
from milo.journal.errors import JournalError
from milo.journal.follower import Follower
from milo.journal.history import find, history, unfinished
from milo.journal.journal import Journal
from milo.journal.notes import leave_note
from tests.journal.world import (
    about,
    begin,
    complete,
    completed,
    declare,
    ended,
    failed,
    pipeline_of,
    start,
    started,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def record(path: Path, run: str, *actions: Action, **more: Any) -> None:
    recorder = begin(path, pipeline_of("a", "b"), run, **more)
    recorder.record([start(10.0), *actions])
    recorder.close()


def test_outcomes(path: Path) -> None:
    """Every way in which a run can end is told, the newest first."""
    record(path, "r1", completed("a"), completed("b"), complete(12.5))
    record(path, "r2", failed("a"), ended("failed", 11.0), Action("extra"))
    record(
        path,
        "r3",
        Action("@@PIPELINE_CANCELLED", {"at": 13.0}),
        Action("@@PIPELINE_END", {"status": "cancelled", "at": 14.0}),
    )
    record(path, "r4", started("a"))
    assert [(info.row.name, info.status, info.elapsed, info.resumable) for info in history(path)] == [
        ("r4", "interrupted", 0.0, True),
        ("r3", "cancelled", 4.0, True),
        ("r2", "failed", 1.0, True),
        ("r1", "completed", 2.5, False),
    ]  # fmt: skip
    assert [info.row.name for info in history(path, limit=2)] == ["r4", "r3"]
    assert history(path)[0].as_dict() == {
        "run": "r4",
        "pipeline": "p",
        "target": "",
        "status": "interrupted",
        "started": 1000.0,
        "elapsed": 0.0,
        "phases": 2,
        "resumable": True,
        "pid": None,
        "note": "",
    }


def test_runs_of_one_target(path: Path) -> None:
    """The limit counts those of the target alone."""
    for number in range(6):
        begin(path, pipeline_of("a"), f"r{number}", target=f"/{number % 2}.py:pipeline").close()
    assert [info.row.name for info in history(path, target="/0.py:pipeline")] == ["r4", "r2", "r0"]
    assert [info.row.name for info in history(path, 2, target="/1.py:pipeline")] == ["r5", "r3"]
    assert history(path, target="/none.py:pipeline") == []


def test_running(path: Path) -> None:
    """A run that somebody works on is running, whatever its last record says."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), failed("a"), ended()])
    info = history(path)[0]
    assert info.status == "running"
    assert info.holder is not None
    assert not info.resumable
    recorder.close()
    assert history(path)[0].status == "failed"


def test_resumed(path: Path) -> None:
    """Of a run that was resumed the last process counts."""
    record(path, "r1", failed("a"), ended("failed", 11.0))
    pipeline = pipeline_of("a", "b", "c")
    recorder = Journal(path).take("r1").go_on(about(pipeline, time=2000.0, resumed=True), declare(pipeline))
    recorder.close()
    info = history(path)[0]
    assert (info.status, info.started, info.phases) == ("interrupted", 2000.0, 3)
    recorder = Journal(path).take("r1").go_on(about(pipeline, time=3000.0, resumed=True), declare(pipeline))
    recorder.record([start(20.0, resumed=True), complete(21.0)])
    recorder.close()
    info = history(path)[0]
    assert (info.status, info.started, info.elapsed) == ("completed", 3000.0, 1.0)


def test_latest(path: Path) -> None:
    """Without a name the run is meant that was begun or gone on with last."""
    record(path, "r1", failed("a"), ended("failed", 11.0))
    record(path, "r2", complete(), time=1500.0)
    pipeline = pipeline_of("a")
    with Follower(path) as follower:
        assert follower.row.name == "r2"
    Journal(path).take("r1").go_on(about(pipeline, time=2000.0, resumed=True), declare(pipeline)).close()
    with Follower(path) as follower:
        assert follower.row.name == "r1"
    record(path, "r3", complete(), time=2500.0)
    with Follower(path) as follower:
        assert follower.row.name == "r3"


def test_clock_that_jumps(path: Path) -> None:
    """The order of runs is that in which they were begun, whatever the clock said; times are never negative."""
    record(path, "r1", complete(5.0), time=5000.0)
    record(path, "r2", complete(11.0), time=1.0)
    assert [(info.row.name, info.elapsed) for info in history(path)] == [("r2", 1.0), ("r1", 0.0)]


def test_broken(path: Path) -> None:
    """A run whose journal failed is told as not resumable, from the journal or from the file of its lock."""
    record(path, "r1", failed("a"), ended())
    leave_note(path, "r1", "the disk was full")
    info = history(path)[0]
    assert info.broken == "the disk was full"
    assert not info.resumable


def test_find(path: Path) -> None:
    """A run is found by its name or the beginning of it; none, an unknown and an ambiguous name are refused."""
    record(path, "2026-a", complete())
    record(path, "2026-b", complete())
    connection = open_reader(path)
    assert find(connection, path, None).name == "2026-b"
    assert find(connection, path, "2026-a").name == "2026-a"
    for name, words in (("2026", "2 runs whose names begin with"), ("x", "has no run 'x'")):
        with pytest.raises(JournalError, match=words):
            find(connection, path, name)
    connection.close()


def test_name_that_is_the_beginning_of_another(path: Path) -> None:
    """A whole name comes before the beginning of one."""
    record(path, "r", complete())
    record(path, "rr", complete())
    connection = open_reader(path)
    assert find(connection, path, "r").name == "r"
    connection.close()


def test_unfinished(path: Path) -> None:
    """The newest unfinished run of the very pipeline is found, by name and target."""
    record(path, "r1", failed("a"), ended(), target="x.py:p")
    record(path, "r2", failed("a"), ended(), target="y.py:p")
    record(path, "r3", complete(), target="x.py:p")
    connection = open_reader(path)
    found = unfinished(connection, path, "p", "x.py:p")
    assert found is not None
    assert found.row.name == "r1"
    assert unfinished(connection, path, "q", "x.py:p") is None
    assert unfinished(connection, path, "p", "z.py:p") is None
    connection.close()


def test_no_runs(path: Path) -> None:
    """A journal without runs is empty, not an error; looking for one is."""
    Journal(path).close()
    assert history(path) == []
    connection = open_reader(path)
    with pytest.raises(JournalError, match="has no runs"):
        find(connection, path, None)
    connection.close()


def test_damaged_run(path: Path) -> None:
    """A run that cannot be told is called damaged, and the others are told all the same."""
    record(path, "r1", complete())
    record(path, "r2", complete())
    with sqlite3.connect(path) as writing:
        writing.execute("UPDATE records SET data = x'01ff' WHERE place = (2 << 40) + 1")
    writing.close()
    assert [(info.row.name, info.status) for info in history(path)] == [
        ("r2", "damaged"),
        ("r1", "completed"),
    ]
