"""Pipes: read as they are written, until the command has ended and not longer."""

from __future__ import annotations

import os
import select
import subprocess
import threading
from collections.abc import Iterator

import pytest

from milo.execution import pipes as pipes_module
from milo.execution.pipes import Pipes, Unheard, exit_notice, has_exited
from tests.execution.watching import eventually


class Heard:
    def __init__(self) -> None:
        self.data: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.ended: list[str] = []
        self.more = threading.Condition()

    def take(self, stream: str, data: bytes) -> None:
        with self.more:
            self.data[stream] += data
            if not data:
                self.ended.append(stream)
            self.more.notify_all()

    def settle(self) -> None:
        """Not asked here."""

    def wait_for(self, stream: str, data: bytes) -> bool:
        with self.more:
            return self.more.wait_for(lambda: self.data[stream] == data, 20)

    def wait_for_end(self) -> bool:
        with self.more:
            return self.more.wait_for(lambda: len(self.ended) == 2, 20)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """Pipes whose writing ends the test holds."""
    pipes = Pipes()
    yield pipes
    pipes.started()


@pytest.fixture
def notice() -> Iterator[tuple[int, int]]:
    """A descriptor that becomes ready, and its other end."""
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_everything_is_handed_over_as_it_comes(pipes: Pipes, notice: tuple[int, int]) -> None:
    """Not when it is complete, and the streams are told apart."""
    heard = Heard()
    reader = threading.Thread(target=pipes.read_until, args=(notice[0], heard))
    reader.start()
    os.write(pipes.writing[0], b"one")
    assert heard.wait_for("stdout", b"one")
    os.write(pipes.writing[1], b"two")
    assert heard.wait_for("stderr", b"two")
    os.write(notice[1], b"!")
    reader.join(20)
    assert not reader.is_alive()
    pipes.close()


def test_the_rest_is_what_is_there_already(pipes: Pipes) -> None:
    """A writer who never stops holds nobody, and one who has stopped is not waited for."""
    heard = Heard()
    os.write(pipes.writing[1], b"last words")
    os.write(pipes.writing[0], b"x")
    stop = threading.Event()

    def flood() -> None:
        try:
            while not stop.is_set():
                os.write(pipes.writing[0], b"x" * 4096)
        except BrokenPipeError:
            return

    writer = threading.Thread(target=flood)
    writer.start()
    pipes.read_rest(heard)
    assert heard.data["stderr"] == b"last words"
    assert 0 < len(heard.data["stdout"]) <= 4 * 1024 * 1024
    assert heard.ended == []
    stop.set()
    pipes.go_on(heard)
    writer.join(20)
    pipes.started()
    assert heard.wait_for_end()


def test_a_thread_goes_on_reading_what_is_still_open(pipes: Pipes) -> None:
    """Until its last writer is gone; with nothing open there is no thread."""
    heard = Heard()
    pipes.go_on(heard)
    pipes.go_on(heard)
    assert sum(thread.name == "milo-output" for thread in threading.enumerate()) == 1
    pipes.read_rest(Unheard())
    os.write(pipes.writing[0], b"later")
    assert heard.wait_for("stdout", b"later")
    pipes.started()
    assert heard.wait_for_end()
    assert eventually(lambda: all(thread.name != "milo-output" for thread in threading.enumerate()))


def test_closed_pipes_need_no_thread(pipes: Pipes, notice: tuple[int, int]) -> None:
    """The usual case: everybody has ended."""
    heard = Heard()
    os.write(pipes.writing[0], b"all")
    pipes.started()
    os.write(notice[1], b"!")
    pipes.read_until(notice[0], heard)
    pipes.read_rest(heard)
    pipes.go_on(heard)
    assert heard.data["stdout"] == b"all"
    assert sorted(heard.ended) == ["stderr", "stdout"]
    assert all(thread.name != "milo-output" for thread in threading.enumerate())


def test_whoever_writes_on_is_not_held_up_by_a_broken_reader(
    pipes: Pipes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and the rest is read by nobody."""

    class Broken(Heard):
        def take(self, stream: str, data: bytes) -> None:
            raise ValueError("on purpose")

    pipes.go_on(Broken())
    for _ in range(64):
        os.write(pipes.writing[0], b"x" * 65536)
    pipes.started()
    assert eventually(lambda: all(thread.name != "milo-output" for thread in threading.enumerate()))
    assert len(caplog.records) == 1


def test_without_another_thread_the_rest_is_given_up(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The writer is told by the system, the reader by the log."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pipes.go_on(Unheard())
    with pytest.raises(BrokenPipeError):
        os.write(pipes.writing[0], b"x")
    assert len(caplog.records) == 1


def test_no_descriptor_is_left_when_there_are_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pipe is closed again when there is no second."""
    opened: list[int] = []
    real = os.pipe

    def pipe() -> tuple[int, int]:
        if opened:
            raise OSError(24, "Too many open files")
        opened.extend(real())
        return opened[0], opened[1]

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many"):
        Pipes()
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def refuse(pid: int) -> int:
    raise OSError("not here")


@pytest.mark.parametrize("how", ["the system's way", "a thread"])
def test_the_exit_of_a_child_is_noticed_and_left_to_be_reaped(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it ends later or has ended already."""
    if how == "a thread":
        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    child = subprocess.Popen(["/bin/sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    notice = exit_notice(child.pid)
    assert not has_exited(notice, 0.0)
    child.stdin.close()
    assert has_exited(notice, 20.0)
    os.close(notice)
    again = exit_notice(child.pid)
    assert select.select([again], [], [], 20)[0] == [again]
    os.close(again)
    assert child.wait() == 7


def test_a_child_that_somebody_else_has_reaped_has_exited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may ignore its children's ends or wait for all of them."""
    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    child = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    child.wait()
    notice = exit_notice(child.pid)
    assert select.select([notice], [], [], 20)[0] == [notice]
    os.close(notice)


def test_a_notice_that_cannot_be_had_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a descriptor of the system nor a thread."""
    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)

    def refuse_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    opened: list[int] = []
    real = os.pipe

    def pipe() -> tuple[int, int]:
        opened[:] = real()
        return opened[0], opened[1]

    monkeypatch.setattr(pipes_module.os, "pipe", pipe)
    monkeypatch.setattr(threading.Thread, "start", refuse_thread)
    with pytest.raises(RuntimeError):
        exit_notice(os.getpid())
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
