"""FakeClock: time passes only when told to, and what is due comes in order."""

import math

import pytest

from milo.errors import StateError
from milo.testing import FakeClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(start=5.0, epoch=1000.0)
    assert (clock.now(), clock.time()) == (5.0, 1000.0)
    clock.advance(2.5)
    assert (clock.now(), clock.time()) == (7.5, 1002.5)


def test_calls_come_in_order_of_time_then_of_arrival_each_at_its_own_time() -> None:
    clock = FakeClock()
    calls: list[tuple[str, float]] = []
    for name, due in [("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("late", 9.0)]:
        clock.call_at(due, lambda name=name: calls.append((name, clock.now())))  # type: ignore[misc]
    clock.advance(5.0)
    assert calls == [("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("c", 3.0)]
    assert (clock.now(), clock.next_due()) == (5.0, 9.0)


def test_a_call_that_arrives_on_the_way_is_made_on_the_way() -> None:
    clock = FakeClock()
    calls: list[float] = []

    def first() -> None:
        clock.call_at(2.0, lambda: calls.append(clock.now()))

    clock.call_at(1.0, first)
    clock.advance(3.0)
    assert calls == [2.0]


def test_what_is_overdue_is_called_without_time_running_back() -> None:
    clock = FakeClock(start=10.0)
    seen: list[float] = []
    clock.call_at(3.0, lambda: seen.append(clock.now()))
    clock.advance()
    assert (seen, clock.now(), clock.next_due()) == ([10.0], 10.0, None)


def test_a_cancelled_call_is_not_made() -> None:
    clock = FakeClock()
    calls: list[int] = []
    timer = clock.call_at(1.0, lambda: calls.append(1))
    timer.cancel()
    timer.cancel()
    assert clock.next_due() is None
    clock.advance(5.0)
    assert (calls, timer.cancelled) == ([], True)


def test_advance_to_next_makes_one_call_and_says_when_there_is_none() -> None:
    clock = FakeClock()
    calls: list[int] = []
    clock.call_at(4.0, lambda: calls.append(1))
    clock.call_at(6.0, lambda: calls.append(2))
    assert clock.advance_to_next()
    assert (calls, clock.now()) == ([1], 4.0)
    assert clock.advance_to_next()
    assert not clock.advance_to_next()


def test_call_soon_calls_here_and_now() -> None:
    calls: list[int] = []
    FakeClock().call_soon(lambda: calls.append(1))
    assert calls == [1]


def test_close_drops_what_is_due() -> None:
    clock = FakeClock()
    clock.call_at(1.0, lambda: None)
    clock.close()
    assert clock.next_due() is None


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, math.inf])
def test_time_does_not_run_backwards_nor_for_ever(seconds: float) -> None:
    with pytest.raises(StateError, match="Time passes forwards by a finite number of seconds, got"):
        FakeClock().advance(seconds)


def test_time_never_goes_back_when_what_falls_due_lets_more_of_it_pass() -> None:
    """However short the outer step was."""
    clock = FakeClock()
    clock.call_at(1.0, lambda: clock.advance(10))
    clock.advance(2)
    assert clock.now() == 11.0
