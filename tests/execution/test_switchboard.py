"""What workers of a pool tell over a socket, and what is kept where there is none."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from milo.execution.away import Desk
from milo.execution.switchboard import Address, Switchboard, line_to

from .test_away import FakeJob, job


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
