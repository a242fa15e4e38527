"""Signals are noted, carried to whoever takes them, and handed back to those who had them before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from milo.terminal.relay import SignalRelay, can_be_stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def test_signals_are_noted_and_wake_whoever_takes_them() -> None:
    relay = SignalRelay()
    woken: list[str] = []
    with relay.listening():
        signal.raise_signal(signal.SIGTERM)
        relay.wake_with(lambda: woken.append("late"))
        signal.raise_signal(signal.SIGWINCH)
    assert woken == ["late", "late"]
    assert relay.take() == [signal.SIGTERM, signal.SIGWINCH]
    assert relay.take() == []


def test_handlers_of_before_are_back_afterwards() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
    before = [signal.getsignal(number) for number in numbers]
    with SignalRelay().listening():
        assert all(signal.getsignal(number) not in before for number in numbers)
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_is_ignored_on_purpose_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        relay = SignalRelay()
        with relay.listening():
            signal.raise_signal(signal.SIGHUP)
        assert relay.take() == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_came_too_late_is_passed_on() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        relay = SignalRelay()
        with relay.listening():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGWINCH)
        relay.pass_on()
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_hear_nothing_and_stop_nothing() -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        with SignalRelay().listening():
            seen.append(signal.getsignal(signal.SIGTERM))
        seen.append(can_be_stopped())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM), False]


def test_a_process_that_ignores_the_stop_is_not_stopped() -> None:
    assert can_be_stopped()
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        assert not can_be_stopped()
    finally:
        signal.signal(signal.SIGTSTP, before)


def test_the_job_stops_and_goes_on_where_it_was() -> None:
    program = "from milo.terminal.relay import stop_this_job; stop_this_job(); print('on', flush=True)"
    # A group of its own, in this session: one that has no parent there could not be stopped.
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, process_group=0)
    assert child.stdout is not None
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGTSTP
    os.kill(child.pid, signal.SIGCONT)
    assert child.communicate(timeout=30)[0] == b"on\n"
