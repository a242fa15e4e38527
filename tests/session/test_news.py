"""News: messages for a waiting thread, and signals that wake it."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

import pytest

from milo.session.news import News


def test_messages_come_in_order_also_those_from_before() -> None:
    news = News()
    news.put(1)
    news.put(2)
    assert [news.get(5.0), news.get(5.0)] == [1, 2]


@pytest.mark.parametrize("in_main", [True, False])
def test_no_message_in_time_is_empty(in_main: bool) -> None:
    raised: list[type[BaseException]] = []

    def wait() -> None:
        try:
            News().get(0.0)
        except queue.Empty as error:
            raised.append(type(error))

    if in_main:
        wait()
    else:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert raised == [queue.Empty]


def test_a_message_of_another_thread_wakes_the_main_thread() -> None:
    news = News()
    threading.Thread(target=lambda: news.put("here")).start()
    assert news.get(30.0) == "here"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_signal_is_served_whenever_it_comes() -> None:
    """However close to the moment at which the main thread goes to sleep."""
    news = News()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: news.put("signalled"))
    try:
        for _ in range(300):
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1)).start()
            assert news.get(30.0) == "signalled"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_wakeup_of_the_program_is_put_back() -> None:
    before = signal.set_wakeup_fd(-1)
    try:
        with pytest.raises(queue.Empty):
            News().get(0.0)
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.set_wakeup_fd(before)
