"""Real faults of disks: what was called durable is there, and what is not was never called so."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from milo.journal.declared import declare
from milo.journal.errors import JournalError
from milo.journal.history import history
from milo.journal.journal import Journal
from tests.journal.disk_faults import attempt, build, every
from tests.journal.world import about, begin, completed, pipeline_of, printed, replayed, start, started


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = build(tmp_path_factory.mktemp("library"))
    if library is None:
        pytest.skip("needs a C compiler and Linux")
    return library


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_one_call_fails(library: Path, number: int) -> None:
    """A write or sync that fails anywhere never makes a completion that was called durable go missing."""
    outcomes = every(library, number, on=False, durability="power", step=9)
    assert outcomes["failed, and resumable"] >= 3
    assert outcomes["refused"] >= 3


def test_nothing_can_be_written_any_more(library: Path) -> None:
    """A disk that fails for good ends in words too."""
    calls, outcome = attempt(library, 0, errno.EIO, on=True)
    assert outcome == "completed"
    assert {attempt(library, at, errno.EIO, on=True)[1] for at in (1, calls // 2)} == {
        "refused",
        "failed, and resumable",
    }


def fill(path: Path) -> str:
    """Record until the disk is full; the words of the error."""
    recorder = begin(path, pipeline_of("a", "b"))
    try:
        recorder.record([start()])
        for number in range(10_000):
            recorder.record([started("a"), completed("a", str(number) * 500)])
    except JournalError as error:
        return str(error)
    finally:
        recorder.close()
    return "it was never full"


def test_full_disk(tmp_path: Path) -> None:
    """On a disk that is really full there is an error in words, and what was durable can be read."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs to mount a small disk")
    try:
        path = disk / "runs.db"
        assert "cannot be written: the disk is full" in fill(path)
        info = history(path)[0]
        assert info.resumable, info
        recorded, rows = replayed(path)
        assert not rows.damage
        assert recorded.actions > 20
        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        journal = Journal(path)
        pipeline = pipeline_of("a", "b")
        recorder = journal.take().go_on(about(pipeline, resumed=True), declare(pipeline))
        recorder.record([start(), started("a"), completed("a", "there is room")])
        recorder.close()
        assert replayed(path)[0].sittings == 2
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_limit_on_file_sizes(tmp_path: Path) -> None:
    """A limit on the size of files is an error in words as well."""
    program = """if True:
        import sys
        from pathlib import Path
        from tests.journal.test_disk_faults import fill
        print(fill(Path(sys.argv[1])))
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "runs.db")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written" in done.stdout
    assert replayed(tmp_path / "runs.db")[0].actions > 10


def test_output_on_a_full_disk(tmp_path: Path) -> None:
    """Where only the output cannot be written, nothing of the batch is called durable."""
    recorder = begin(tmp_path / "runs.db", pipeline_of("a"))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "r1").mkdir()
    os.symlink("/dev/full", tmp_path / "logs" / "r1" / "a.log")
    with pytest.raises(JournalError, match=r"a\.log cannot be written: the disk is full"):
        recorder.record([start(), printed("a", "x")])
    recorder.close()
    assert replayed(tmp_path / "runs.db")[0].actions == 0
