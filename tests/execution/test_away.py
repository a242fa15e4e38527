"""Attempts on their way, as the run knows them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from milo.execution.away import DROPPED, Desk


def attempt(lines: list[str]) -> Any:
    return SimpleNamespace(name="a", emit=lambda job, stream, line: lines.append(line))


class FakeJob:
    dropped = False


def job(*, dropped: bool = False) -> Any:
    made = FakeJob()
    made.dropped = dropped
    return made


def test_an_attempt_is_found_by_its_token_until_it_is_back() -> None:
    desk = Desk("d")
    one, two = (desk.open(attempt([]), job()) for _ in range(2))
    assert desk.find(two.token) is two
    assert desk.all() == [one, two]
    desk.close(two)
    assert desk.find(two.token) is None


def test_whoever_waits_for_an_abandoned_attempt_is_woken() -> None:
    desk = Desk("d")
    abandoned = job()
    trip = desk.open(attempt([]), abandoned)
    desk.abandon(job())
    desk.abandon(abandoned)
    assert trip.news.get(timeout=20) is DROPPED
    assert trip.news.empty()


def test_an_attempt_that_was_abandoned_before_it_set_out_is_not_waited_for() -> None:
    assert Desk("d").open(attempt([]), job(dropped=True)).news.get(timeout=20) is DROPPED


def test_an_outcome_waits_for_the_lines_before_it() -> None:
    lines: list[str] = []
    trip = Desk("d").open(attempt(lines), job())
    thread = threading.Thread(target=lambda: [trip.line("stdout", str(number)) for number in range(50)])
    thread.start()
    trip.wait_for_lines(50)
    assert len(lines) == 50
    thread.join()
