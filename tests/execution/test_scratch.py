"""A folder for what is written during a run, and what becomes of those of runs that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from milo.execution import scratch
from milo.execution.scratch import Scratch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a cluster of a run's own needs POSIX")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_there_until_it_is_removed(folder: Path) -> None:
    made = Scratch("milo-")
    Path(made.path, "file").touch()
    assert [str(path) for path in folder.iterdir()] == [made.path]
    made.remove()
    assert list(folder.iterdir()) == []


def test_what_a_process_that_was_killed_has_left_goes_and_what_is_used_stays(folder: Path) -> None:
    program = (
        "import sys, tempfile, time; from milo.execution.scratch import Scratch\n"
        "tempfile.tempdir = sys.argv[1]; scratch = Scratch('milo-')\n"
        "open(scratch.path + '/file', 'w').close(); print(scratch.path, flush=True); time.sleep(1000)"
    )
    (folder / "milo-").touch()
    (folder / "other").mkdir()
    used = Scratch("milo-")
    with subprocess.Popen(
        [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    assert (left / "file").exists()
    made = Scratch("milo-")
    assert not left.exists()
    assert os.path.isdir(used.path)
    assert {path.name for path in folder.iterdir()} == {
        "milo-",
        "other",
        Path(used.path).name,
        Path(made.path).name,
    }


def test_one_that_another_process_has_removed_before_it_was_locked_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = scratch.try_lock
    tries: list[int] = []

    def late(descriptor: int) -> bool:
        tries.append(descriptor)
        if len(tries) == 1:
            for path in folder.iterdir():
                path.rmdir()
        return lock(descriptor)

    monkeypatch.setattr(scratch, "try_lock", late)
    assert os.path.isdir(Scratch("milo-").path)


def test_where_there_are_no_locks_nothing_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int) -> bool:
        raise OSError("no locks")

    (folder / "milo-left").mkdir()
    monkeypatch.setattr(scratch, "try_lock", refused)
    assert os.path.isdir(Scratch("milo-").path)
    assert (folder / "milo-left").exists()
