"""Signals that end a run: which are answered, by what, and that all is as before afterwards."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from milo.errors import StateError
from milo.signals import ENDING, stopping_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def known_handlers() -> Iterator[None]:
    """Signals that would end the test run are answered by nothing worse than this."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, outside)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def outside(number: int, frame: Any) -> None:
    raise AssertionError(f"signal {number} was answered by whoever was there before")


class Told:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def first(self) -> None:
        self.calls.append("first")

    def again(self) -> None:
        self.calls.append("again")


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_the_first_signal_asks_for_the_end(number: signal.Signals) -> None:
    told = Told()
    with stopping_on_signals(told.first, told.again):
        signal.raise_signal(number)
    assert told.calls == ["first"]


def test_of_those_after_it_only_ctrl_c_is_heard() -> None:
    told = Told()
    with stopping_on_signals(told.first, told.again):
        for number in (
            signal.SIGTERM,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGINT,
        ):
            signal.raise_signal(number)
    assert told.calls == ["first", "again", "again"]


def test_afterwards_the_signals_are_answered_as_before() -> None:
    with pytest.raises(ZeroDivisionError), stopping_on_signals(print, print):
        raise ZeroDivisionError
    assert {signal.getsignal(number) for number in ENDING} == {outside}
    told = Told()
    with stopping_on_signals(told.first, told.again):
        signal.raise_signal(signal.SIGINT)
    with stopping_on_signals(told.first, told.again):
        signal.raise_signal(signal.SIGINT)
    assert told.calls == ["first", "first"]


def test_a_signal_that_was_ignored_on_purpose_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told = Told()
    with stopping_on_signals(told.first, told.again):
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert told.calls == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_handler_that_was_not_installed_from_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    getsignal = signal.getsignal
    monkeypatch.setattr(signal, "getsignal", lambda n: None if n == signal.SIGHUP else getsignal(n))
    told = Told()
    with stopping_on_signals(told.first, told.again):
        assert getsignal(signal.SIGHUP) is outside
        signal.raise_signal(signal.SIGINT)
    assert told.calls == ["first"]


def test_another_thread_is_refused_before_anything_changes() -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            with stopping_on_signals(print, print):
                pass
        except StateError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(30)
    assert "Leave handle_signals out in other threads" in str(caught[0])
    assert {signal.getsignal(number) for number in ENDING} == {outside}
