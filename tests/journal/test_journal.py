"""Opening a journal, beginning a run, and taking over one that is not finished."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milo import Phase, Pipeline
from milo.journal import faults
from milo.journal.errors import HeldError, JournalError
from milo.journal.history import history
from milo.journal.journal import Journal
from milo.journal.location import default_path
from milo.journal.lock import holder_of
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
    return default_path(tmp_path)


PIPELINE = pipeline_of("a", "b", "c", max_logs=2)


def stopped(path: Path) -> None:
    """A run of which a and b are done and c has failed."""
    recorder = begin(path, PIPELINE, target="t", parameters={"n": "1"})
    actions = [
        start(),
        completed("a", {"x": 1}),
        printed("b", "1"),
        completed("b", "y" * 1000),
        failed("c"),
        ended(),
    ]
    recorder.record(actions)
    recorder.finish(state_of(PIPELINE, actions))
    recorder.close()


def test_resume(path: Path) -> None:
    """A run is taken over with its state and results, and goes on where it stopped."""
    stopped(path)
    journal = Journal(path)
    info = journal.unfinished("p", "t")
    assert info is not None
    taken = journal.take(info.row.name)
    assert taken.recorded.state.status == "failed"
    assert taken.recorded.about is not None
    assert taken.recorded.about.parameters == {"n": "1"}
    planned, results = taken.plan(declare(PIPELINE))
    assert planned.kept == ["a", "b"]
    assert results == {"a": {"x": 1}, "b": "y" * 1000}
    recorder = taken.go_on(about(PIPELINE, resumed=True), declare(PIPELINE))
    actions = [start(5.0, resumed=True), started("c", 6.0), completed("c", 7, 8.0), complete(9.0)]
    recorder.record(actions)
    recorder.finish(state_of(PIPELINE, actions, taken.recorded.state))
    recorder.close()
    recorded, rows = replayed(path)
    assert recorded.verdicts == [True, True]
    assert recorded.state.status == "completed"
    assert recorded.sittings == 2
    assert not rows.damage
    assert history(path)[0].status == "completed"


def test_log_lines_go_on(path: Path) -> None:
    """Lines of the earlier process count with those of the later one, whatever the phases' numbers are then."""
    recorder = begin(path, PIPELINE)
    recorder.record([start(), *(printed("b", f"early {number}") for number in range(3)), started("b")])
    recorder.close()
    later = Pipeline(
        "p", Phase("new", nothing), *[Phase(p.name, nothing, max_logs=2) for p in PIPELINE.phases]
    )
    taken = Journal(path).take()
    before = taken.recorded.state
    recorder = taken.go_on(about(later, resumed=True), declare(later))
    actions = [
        start(resumed=True),
        *(printed("b", f"late {number}") for number in range(3)),
        printed("new", "x"),
    ]
    recorder.record(actions)
    recorder.finish(state_of(later, actions, before))
    recorder.close()
    recorded, rows = replayed(path)
    assert recorded.verdicts == [True]
    assert [log.line for log in recorded.state.phase("b").logs] == ["late 1", "late 2"]
    assert rows.lost_lines == 0
    assert recorder.output_path("b").read_text().count("\n") == 6


def test_completed_run(path: Path) -> None:
    """A run that has completed cannot be taken over, and is free afterwards."""
    recorder = begin(path, PIPELINE)
    recorder.record([start(), complete()])
    recorder.close()
    journal = Journal(path)
    assert journal.unfinished("p", "") is None
    with pytest.raises(JournalError, match="has completed"):
        journal.take("r1")
    journal.close()
    assert holder_of(path, "r1") is None


def test_run_that_somebody_has(path: Path) -> None:
    """A run that somebody works on is refused with a name, also by its shortened name."""
    recorder = begin(path, PIPELINE, "run-1")
    with closing(Journal(path)) as journal, pytest.raises(HeldError) as caught:
        journal.take("run")
    assert caught.value.pid == os.getpid()
    recorder.close()


def test_taken_and_released(path: Path) -> None:
    """A run that was taken and not gone on with is as it was."""
    stopped(path)
    with closing(Journal(path)) as journal:
        journal.take().release()
        assert history(path)[0].status == "failed"
    with closing(Journal(path)) as journal:
        journal.take().release()


def test_begin_is_all_or_nothing(path: Path) -> None:
    """A run is there with its whole declaration or not at all."""

    def fail(point: str) -> None:
        if point == "run inserted":
            raise OSError(28, os.strerror(28))

    journal = Journal(path)
    faults.set_hook(fail)
    try:
        with pytest.raises(JournalError, match="the disk is full"):
            journal.begin("r1", about(PIPELINE), declare(PIPELINE))
    finally:
        faults.set_hook(None)
    assert history(path) == []
    assert holder_of(path, "r1") is None
    journal.begin("r1", about(PIPELINE), declare(PIPELINE)).close()
    assert len(history(path)) == 1


def test_name_that_is_taken(path: Path) -> None:
    """Two runs cannot have one name."""
    begin(path, PIPELINE).close()
    with closing(Journal(path)) as journal, pytest.raises(JournalError):
        begin(path, PIPELINE, journal=journal)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"durability": "maybe"}, "durability must be one of"), ({"serializer": "json"}, "serializer must")],
)
def test_arguments(path: Path, arguments: dict[str, Any], words: str) -> None:
    """Unknown settings are refused."""
    with pytest.raises(JournalError, match=words):
        Journal(path, **arguments)


def test_power(path: Path) -> None:
    """Durability "power" records the same."""
    journal = Journal(path, durability="power")
    recorder = begin(path, PIPELINE, journal=journal)
    recorder.record([start(), complete()])
    recorder.close()
    assert replayed(path)[0].state.status == "completed"


def test_target_that_is_no_text(path: Path) -> None:
    """A target whose path is not valid UTF-8 is recorded all the same."""
    recorder = begin(path, PIPELINE, target="/x/\udcff.py:p")
    recorder.record([start(), complete()])
    recorder.close()
    recorded, rows = replayed(path)
    assert not rows.damage
    assert recorded.about is not None
    assert recorded.about.target == "/x/\udcff.py:p"
    assert recorded.row.target == "/x/\\udcff.py:p"


def test_many_processes_one_new_journal(tmp_path: Path) -> None:
    """Processes that make the same journal at once all record their runs in it."""
    path = tmp_path / "runs.db"
    program = """if True:
        import sys
        from pathlib import Path
        from tests.journal.world import *
        recorder = begin(Path(sys.argv[1]), pipeline_of("a"), sys.argv[2])
        for number in range(20):
            recorder.record([printed("a", str(number)), started("a"), completed("a", number)])
        recorder.record([complete()])
        recorder.close()
    """
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path), f"r{number}"], stderr=subprocess.PIPE)
        for number in range(8)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert {info.status for info in history(path)} == {"completed"}
    for number in range(8):
        recorded, rows = replayed(path, f"r{number}")
        assert recorded.actions == 61
        assert not rows.damage


def test_many_runs_in_one_process(path: Path) -> None:
    """Several runs of one program record in the same journal at once."""

    def record(number: int) -> None:
        recorder = begin(path, PIPELINE, f"r{number}")
        for _ in range(20):
            recorder.record([started("a"), completed("a", number)])
        recorder.record([complete()])
        recorder.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(16)))
    assert [info.status for info in history(path)] == ["completed"] * 16


def test_fifty_resume_one_run(path: Path) -> None:
    """Of many that resume one run at once exactly one proceeds; the others are told who has it."""
    stopped(path)
    journals: list[Journal] = []

    def take(number: int) -> Any:
        journal = Journal(path)
        journals.append(journal)
        try:
            return journal.take("r1")
        except HeldError as error:
            return error.pid

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(take, range(50)))
    taken = [each for each in found if not isinstance(each, int)]
    assert len(taken) == 1
    assert set(found) - set(taken) == {os.getpid()}
    taken[0].release()
    for journal in journals:
        journal.close()
