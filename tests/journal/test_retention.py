"""Old runs go, with everything that belongs to them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from milo.journal.history import history
from milo.journal.journal import Journal
from milo.journal.location import locks_folder, logs_folder
from tests.journal.world import begin, complete, completed, pipeline_of, printed, replayed, start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    for number in range(5):
        recorder = begin(path, pipeline_of("a"), f"r{number}")
        recorder.record([start(), printed("a", "x"), completed("a", "y" * 1000), complete()])
        recorder.close()
    return path


def names(path: Path) -> list[str]:
    return [info.row.name for info in history(path)]


def test_keep(path: Path) -> None:
    """The newest stay, with their output; of the others nothing is left."""
    journal = Journal(path)
    assert journal.prune(2) == ["r2", "r1", "r0"]
    for table, count in (("runs", 2), ("records", 10), ("results", 2), ("logs", 2)):
        assert journal.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    journal.close()
    assert names(path) == ["r4", "r3"]
    assert sorted(folder.name for folder in logs_folder(path).iterdir()) == ["r3", "r4"]
    assert [file.name for file in locks_folder(path).iterdir()] == ["_opening"]
    assert replayed(path)[0].state.status == "completed"


def test_what_runs_stays(path: Path) -> None:
    """A run that somebody works on stays, however old, and the newest stays whatever is asked for."""
    recorder = begin(path, pipeline_of("a"), "late")
    journal = Journal(path)
    assert journal.prune(0) == ["r4", "r3", "r2", "r1", "r0"]
    begin(path, pipeline_of("a"), "later").close()
    assert journal.prune(1) == []
    journal.close()
    recorder.close()
    assert names(path) == ["later", "late"]


def test_few_runs(path: Path) -> None:
    """With fewer runs than are to stay nothing happens."""
    journal = Journal(path)
    assert journal.prune(5) == []
    journal.close()
