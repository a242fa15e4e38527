"""A follower tells what has come since it was asked last, live or finished."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from milo.journal.errors import JournalError
from milo.journal.follower import Follower
from milo.journal.journal import Journal
from tests.journal.world import (
    about,
    begin,
    complete,
    completed,
    declare,
    ended,
    failed,
    pipeline_of,
    printed,
    start,
    started,
    state_of,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def test_live(path: Path) -> None:
    """Each question gives what has come, in order, and the state after it."""
    pipeline = pipeline_of("a", "b")
    actions = [
        start(),
        started("a"),
        printed("a", "one"),
        completed("a", 5),
        started("b"),
        printed("b", "x"),
        complete(),
    ]
    recorder = begin(path, pipeline)
    with Follower(path) as follower:
        assert follower.poll() == []
        assert follower.state.status == "pending"
        assert [phase.name for phase in follower.state.phases] == ["a", "b"]
        for number, action in enumerate(actions, 1):
            recorder.record([action])
            (found,) = follower.poll()
            assert found.type == action.type
            assert "result" not in found.payload
            assert follower.state == state_of(pipeline, actions[:number])
            assert follower.poll() == []
        assert follower.status() == "running"
        assert follower.holder() is not None
        recorder.close()
        assert follower.status() == "completed"
        assert follower.holder() is None
        assert not follower.damage
        assert follower.lost_lines == 0


def test_finished(path: Path) -> None:
    """Of a run that is over the first question gives everything."""
    pipeline = pipeline_of("a")
    actions = [start(), started("a"), failed("a"), ended()]
    recorder = begin(path, pipeline)
    recorder.record(actions)
    recorder.close()
    with Follower(path, "r1") as follower:
        assert follower.poll() == actions
        assert follower.poll() == []
        assert follower.status() == "failed"


def test_interrupted(path: Path) -> None:
    """A run whose process is gone is told as interrupted."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), started("a")])
    recorder.close()
    with Follower(path) as follower:
        follower.poll()
        assert follower.status() == "interrupted"


def test_resumed_meanwhile(path: Path) -> None:
    """A run that is resumed while it is followed goes on, with what is declared then."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), completed("a"), ended()])
    recorder.close()
    with Follower(path) as follower:
        follower.poll()
        later = pipeline_of("a", "b")
        recorder = Journal(path).take("r1").go_on(about(later, resumed=True), declare(later))
        recorder.record([start(resumed=True), started("b")])
        assert len(follower.poll()) == 2
        assert {phase.name: phase.status for phase in follower.state.phases} == {
            "a": "completed",
            "b": "running",
        }
        assert follower.replay.sittings == 2
        recorder.close()


def test_idle_costs_nothing(path: Path) -> None:
    """When nothing has been written, nothing is read."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start()])
    with Follower(path) as follower:
        follower.poll()
        asked: list[str] = []
        follower._connection.set_trace_callback(asked.append)
        for _ in range(10):
            assert follower.poll() == []
        assert set(asked) <= {"PRAGMA data_version"}
    recorder.close()


def test_from_another_process(path: Path) -> None:
    """Another process follows what this one records."""
    program = """if True:
        import sys
        from pathlib import Path
        from milo.journal.follower import Follower
        with Follower(Path(sys.argv[1])) as follower:
            for line in sys.stdin:
                print(len(follower.poll()), follower.state.status, flush=True)
    """
    recorder = begin(path, pipeline_of("a"))
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told = []
    for actions in ([start()], [started("a"), completed("a")], [complete()], []):
        recorder.record(actions)
        process.stdin.write("\n")
        process.stdin.flush()
        told.append(process.stdout.readline())
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()
    recorder.close()
    assert told == ["1 running\n", "2 running\n", "1 completed\n", "0 completed\n"]


def test_damage(path: Path) -> None:
    """What cannot be trusted is not given, and it is said that there is more."""
    recorder = begin(path, pipeline_of("a"))
    recorder.record([start(), started("a"), completed("a")])
    recorder.close()
    with sqlite3.connect(path) as writing:
        writing.execute("UPDATE records SET data = x'15' WHERE place = (1 << 40) + 4")
    writing.close()
    with Follower(path) as follower:
        assert not follower.is_outdated()
        assert len(follower.poll()) == 1
        assert "not what was written" in follower.damage
        assert follower.poll() == []
        assert not follower.is_outdated()
        begin(path, pipeline_of("a"), "r2").close()
        assert follower.is_outdated()


def test_nothing_to_follow(path: Path) -> None:
    """No journal, no run: an error in words."""
    with pytest.raises(JournalError, match="There is no journal"):
        Follower(path)
    Journal(path).close()
    with pytest.raises(JournalError, match="has no runs"):
        Follower(path)
