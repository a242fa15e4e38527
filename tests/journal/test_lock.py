"""A run has one writer, and its lock goes with its process, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from milo.journal.errors import HeldError, JournalError
from milo.journal.location import locks_folder
from milo.journal.lock import Holder, RunLock, holder_of, journal_lock

HOLDING = """
import os
import sys
from pathlib import Path
from milo.journal.lock import RunLock
lock = RunLock(Path(sys.argv[1]), "r")
{more}
os.write(1, b"held\\n")
sys.stdin.read()
"""


FORKING = """
if os.fork() == 0:
    os.write(1, f"child {os.getpid()}\\n".encode())
    sys.stdin.read()
    os._exit(0)
"""


@contextlib.contextmanager
def holding(journal: Path, more: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the run "r"."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(more=more), str(journal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def test_second_one_is_told_who_has_it(journal: Path) -> None:
    """The refusal names the process that is at work on the run."""
    with holding(journal) as process:
        with pytest.raises(HeldError) as caught:
            RunLock(journal, "r")
        assert caught.value.pid == process.pid
        assert str(process.pid) in caught.value.message
        assert "nothing has to be unlocked" in caught.value.hint
        holder = holder_of(journal, "r")
        assert holder is not None
        assert holder.pid == process.pid
        RunLock(journal, "other").release()


def test_killed_process_holds_nothing(journal: Path) -> None:
    """After kill -9 the run is free at once, and nobody has to remove anything."""
    with holding(journal) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert holder_of(journal, "r") is None
        RunLock(journal, "r").release()


def test_forked_child_does_not_keep_it(journal: Path) -> None:
    """A child of a fork that outlives its killed parent does not keep the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(more=FORKING), str(journal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        lines = sorted(process.stdout.readline() for _ in range(2))
        assert lines[1] == "held\n"
        child = int(lines[0].split()[1])
        process.kill()
        process.wait()
        os.kill(child, 0)
        assert holder_of(journal, "r") is None
        RunLock(journal, "r").release()
    finally:
        process.stdin.close()
        process.stdout.close()


def test_within_one_process(journal: Path) -> None:
    """Two parts of one program cannot have the same run either."""
    lock = RunLock(journal, "r")
    with pytest.raises(HeldError) as caught:
        RunLock(journal, "r")
    assert caught.value.pid == os.getpid()
    lock.release()
    lock.release()
    RunLock(journal, "r").release()
    assert holder_of(journal, "r") is None


def test_reading_the_file_releases_nothing(journal: Path) -> None:
    """Another part of the program that opens and closes the file does not release the lock."""
    lock = RunLock(journal, "r")
    (locks_folder(journal) / "r").read_bytes()
    assert holder_of(journal, "r") == Holder(os.getpid(), os.uname().nodename)
    lock.release()


def test_only_looking_keeps_nobody_away(journal: Path) -> None:
    """Those who only look whether a run is held never make somebody fail who wants it."""
    stop = threading.Event()
    file = locks_folder(journal) / "r"
    RunLock(journal, "r").release()

    def look() -> None:
        while not stop.is_set():
            holder_of(journal, "r")

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            file.touch()
            RunLock(journal, "r").release()
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_removed_file(journal: Path) -> None:
    """A file of a lock that was removed meanwhile is made again, not locked in vain."""
    lock = RunLock(journal, "r")
    (locks_folder(journal) / "r").unlink()
    second = RunLock(journal, "r")
    assert holder_of(journal, "r") is not None
    second.release()
    lock.release()


def test_fifty_want_it(journal: Path) -> None:
    """Of fifty that want a run at once exactly one gets it."""
    got: list[RunLock] = []
    refused: list[HeldError] = []
    barrier = threading.Barrier(50)

    def want() -> None:
        barrier.wait()
        try:
            got.append(RunLock(journal, "r"))
        except HeldError as error:
            refused.append(error)

    threads = [threading.Thread(target=want) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert {error.pid for error in refused} == {os.getpid()}
    got[0].release()


def test_no_room_for_a_lock(tmp_path: Path) -> None:
    """A lock that cannot be made is a JournalError."""
    (tmp_path / "runs.db.locks").write_text("x")
    for take in (
        lambda: RunLock(tmp_path / "runs.db", "r"),
        lambda: journal_lock(tmp_path / "runs.db").__enter__(),
    ):
        with pytest.raises(JournalError):
            take()


def test_journal_lock_waits(journal: Path) -> None:
    """Who opens a journal waits for another who is opening it."""
    order = []
    entered = threading.Event()

    def other() -> None:
        entered.set()
        with journal_lock(journal):
            order.append("other")

    with journal_lock(journal):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_words_for_a_holder() -> None:
    """A holder on another machine is named with it."""
    assert str(Holder(3, "elsewhere")) == "process 3 on elsewhere"
    assert str(Holder(3, os.uname().nodename)) == "process 3"
    assert str(Holder(0, "")) == "another process"
