"""SystemClock: one thread makes the calls that are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from milo.clock import SystemClock


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    clock = SystemClock()
    yield clock
    clock.close()


def test_calls_are_made_in_the_order_in_which_they_are_due(clock: SystemClock) -> None:
    """On one daemon thread, never the caller's."""
    order: list[str] = []
    threads: set[threading.Thread] = set()
    done = threading.Event()

    def note(name: str) -> None:
        order.append(name)
        threads.add(threading.current_thread())
        if name == "third":
            done.set()

    now = clock.now()
    clock.call_at(now + 0.06, lambda: note("third"))
    clock.call_at(now + 0.02, lambda: note("first"))
    clock.call_at(now + 0.04, lambda: note("second"))
    assert done.wait(10)
    assert order == ["first", "second", "third"]
    assert len(threads) == 1
    assert threads.pop().daemon


def test_a_call_is_never_early(clock: SystemClock) -> None:
    """By the same clock."""
    done = threading.Event()
    times: list[float] = []
    due = clock.now() + 0.05

    def note() -> None:
        times.append(clock.now())
        done.set()

    clock.call_at(due, note)
    assert done.wait(10)
    assert times[0] >= due


def test_what_is_due_already_is_called_at_once(clock: SystemClock) -> None:
    """On the clock's thread."""
    done = threading.Event()
    clock.call_at(clock.now() - 1, done.set)
    assert done.wait(10)
    soon = threading.Event()
    clock.call_soon(soon.set)
    assert soon.wait(10)


def test_a_cancelled_call_is_not_made(clock: SystemClock) -> None:
    """Cancelling twice does no harm, and many cancelled ones do not pile up."""
    called: list[int] = []
    for _ in range(5_000):
        timer = clock.call_at(clock.now() + 3600, lambda: called.append(1))
        timer.cancel()
        timer.cancel()
        assert timer.cancelled
    assert len(clock._due) < 200
    done = threading.Event()
    clock.call_soon(done.set)
    assert done.wait(10)
    assert called == []


def test_a_call_that_raises_does_not_stop_the_others(
    clock: SystemClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    done = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "milo"):
        clock.call_soon(fail)
        clock.call_soon(done.set)
        assert done.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_a_closed_clock_calls_nobody_and_its_thread_ends(clock: SystemClock) -> None:
    """What was due is dropped."""
    thread: list[threading.Thread] = []
    ready = threading.Event()

    def note() -> None:
        thread.append(threading.current_thread())
        ready.set()

    clock.call_soon(note)
    assert ready.wait(10)
    called: list[int] = []
    clock.call_at(clock.now() + 0.05, lambda: called.append(1))
    clock.close()
    thread[0].join(10)
    assert not thread[0].is_alive()
    assert clock.call_at(clock.now(), lambda: called.append(2)).cancelled
    clock.call_soon(lambda: called.append(3))
    assert called == []


def test_a_far_away_time_is_no_error(clock: SystemClock) -> None:
    """Beyond what a lock can wait for."""
    clock.call_at(1e300, lambda: None)
    done = threading.Event()
    clock.call_soon(done.set)
    assert done.wait(10)


def test_no_thread_is_started_before_it_is_needed() -> None:
    """Making a clock costs nothing."""
    before = threading.active_count()
    clock = SystemClock()
    assert threading.active_count() == before
    clock.close()
