"""What workers of a pool tell over a socket, and what is kept where there is none."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from milo.execution.away import Desk
from milo.execution.switchboard import Address, Switchboard, line_to
from tests.execution.test_away import FakeJob, job


def attempt(lines: list[tuple[str, str]]) -> Any:
    return SimpleNamespace(emit=lambda job, stream, line: lines.append((stream, line)))


def test_lines_arrive_at_their_attempt_in_order() -> None:
    lines: list[tuple[str, str]] = []
    desk = Desk("d")
    switchboard = Switchboard(desk)
    trip = desk.open(attempt(lines), job())
    line = line_to(switchboard.address)
    assert line_to(switchboard.address) is line
    line.line("d-7", "stdout", "of an attempt that has gone")
    for number in range(100):
        line.line(trip.token, "stderr", str(number))
    assert line.end(trip.token) == (100, [])
    trip.wait_for_lines(100)
    assert lines == [("stderr", str(number)) for number in range(100)]
    switchboard.close()


def test_a_cancellation_is_told_to_an_attempt_that_heeds_it() -> None:
    told = threading.Event()
    heard: list[Any] = []

    class Heeding(FakeJob):
        def on_cancel(self, callback: Any) -> None:
            heard.append(callback)
            told.set()

    desk = Desk("d")
    switchboard = Switchboard(desk)
    trip = desk.open(attempt([]), Heeding())  # type: ignore[arg-type]
    line_to(switchboard.address).heeds(trip.token)
    assert told.wait(20)
    switchboard.close()


def test_lines_that_cannot_be_told_are_kept() -> None:
    line = line_to(Address("/nowhere/socket", b"key"))
    line.line("t", "stdout", "a")
    assert line.end("t") == (0, [("stdout", "a")])


def test_a_caller_without_the_key_is_not_heard() -> None:
    desk = Desk("d")
    switchboard = Switchboard(desk)
    trip = desk.open(attempt([]), job())
    stranger = line_to(switchboard.address._replace(key=b"wrong"))
    stranger.line(trip.token, "stdout", "a")
    assert stranger.end(trip.token) == (0, [("stdout", "a")])
    friend = line_to(switchboard.address)
    friend.line(trip.token, "stdout", "b")
    assert friend.end(trip.token) == (1, [])
    switchboard.close()


def test_a_switchboard_that_closes_hangs_up_on_both_sides() -> None:
    """A pool goes on after the run, and so do its processes."""
    before = set(threading.enumerate())
    desk = Desk("d")
    switchboard = Switchboard(desk)
    line = line_to(switchboard.address)
    line.line("t", "stdout", "a")
    assert line.end("t") == (1, [])
    started = [thread for thread in threading.enumerate() if thread not in before]
    switchboard.close()
    switchboard.close()
    for thread in started:
        thread.join(20)
    assert [thread for thread in started if thread.is_alive()] == []
    line.line("t", "stdout", "for nobody")
    assert line.end("t") == (0, [])


def test_a_line_that_cannot_be_used_does_not_cut_off_the_others(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def emit(job: object, stream: str, line: str) -> None:
        if line == "bad":
            raise ValueError(line)
        heard.append(line)

    desk = Desk("d")
    switchboard = Switchboard(desk)
    trip = desk.open(SimpleNamespace(emit=emit), job())  # type: ignore[arg-type]
    line = line_to(switchboard.address)
    for text in ("bad", "good"):
        line.line(trip.token, "stdout", text)
    trip.wait_for_lines(2)
    switchboard.close()
    assert heard == ["good"]
    assert "What a worker told could not be used" in caplog.text


def test_lines_of_two_threads_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the end of an attempt would not wait for the last of them."""

    class Slow(dict[str, int]):
        def get(self, key: str, default: Any = None) -> Any:
            found = super().get(key, default)
            if not barrier.broken:
                with suppress(threading.BrokenBarrierError):
                    barrier.wait(0.2)  # both have looked, if both can
            return found

    barrier = threading.Barrier(2)
    switchboard = Switchboard(Desk("d"))
    line = line_to(switchboard.address)
    monkeypatch.setattr(line, "_told", Slow())
    threads = [threading.Thread(target=line.line, args=("t", stream, "a")) for stream in ("stdout", "stderr")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert line.end("t") == (2, [])
    switchboard.close()
