"""The time that a cancelled run has for its end, and the end of its process groups in it."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from milo.execution.groups import ProcessGroups
from milo.session.grace import MARGIN_S, Grace


class Groups:
    """Notes with how much time it was ended; a thread that gives time waits until it may go on."""

    def __init__(self) -> None:
        self.closed: list[float] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def close(self, grace_s: float) -> None:
        self.end(grace_s)

    def end(self, grace_s: float) -> None:
        self.closed.append(grace_s)
        if grace_s:
            self.may_end.wait(30)


@pytest.fixture
def groups() -> Groups:
    return Groups()


def grace_of(groups: Groups, seconds: float = 60.0) -> Grace:
    return Grace(seconds, cast(ProcessGroups, groups))


def test_a_run_that_was_not_cancelled_has_all_its_time_at_its_end(groups: Groups) -> None:
    grace = grace_of(groups)
    assert grace.left_s is None
    grace.end_groups()
    assert groups.closed == [60.0]


def test_time_that_runs_is_not_begun_again_and_a_hurry_takes_what_is_left(
    groups: Groups,
) -> None:
    grace = grace_of(groups, 1000.0)
    grace.begin()
    first = grace.left_s
    assert first is not None
    assert 0.0 < first <= 1000.0 + MARGIN_S
    grace.begin()
    assert grace.left_s is not None
    assert grace.left_s <= first
    grace.hurry()
    assert grace.left_s == 0.0


def test_groups_that_are_ended_beside_are_waited_for_and_then_killed(groups: Groups) -> None:
    grace = grace_of(groups)
    grace.begin()
    grace.end_groups_beside()
    grace.end_groups()
    assert groups.closed == [60.0, 0.0]


def test_in_a_hurry_nothing_is_waited_for(groups: Groups) -> None:
    groups.may_end.clear()
    grace = grace_of(groups)
    grace.begin()
    grace.end_groups_beside()
    grace.hurry()
    grace.end_groups()
    assert groups.closed == [60.0, 0.0]
    groups.may_end.set()


def test_without_a_thread_for_it_groups_are_ended_at_the_end(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    grace = grace_of(groups)
    grace.begin()
    grace.end_groups_beside()
    grace.end_groups()
    assert groups.closed == [0.0]
