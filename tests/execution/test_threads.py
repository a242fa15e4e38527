"""The default executor: daemon threads, as many as allowed, started when there is work."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from milo.execution import ThreadWorkers, default_workers
from milo.saga import All, Call
from milo.store import Store


def store_with(workers: int) -> Store:
    return Store(lambda state, action: state, max_workers=workers)


def call(fn: Any) -> Any:
    def saga() -> Any:
        return (yield Call(fn))

    return saga


def test_calls_run_side_by_side_up_to_the_limit() -> None:
    """Three meet at a barrier; a fourth would have to wait."""
    barrier = threading.Barrier(3)

    def meet() -> int:
        return barrier.wait(10)

    def saga() -> Any:
        return (yield All([call(meet) for _ in range(3)]))

    with store_with(3) as store:
        assert sorted(store.run_saga(saga).result(10)) == [0, 1, 2]


def test_no_more_than_the_limit_run_at_once() -> None:
    """However many are asked for."""
    lock, running, most = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.001)
        with lock:
            running[0] -= 1

    with store_with(3) as store:
        store.run_saga(lambda: (yield All([call(work) for _ in range(60)]))).result(10)
    assert 1 <= most[0] <= 3


def test_workers_are_daemons_and_start_only_when_needed() -> None:
    """A store without Calls has none; a chain of Calls keeps to very few."""
    before = threading.active_count()
    with store_with(8) as store:
        assert threading.active_count() == before
        seen: set[threading.Thread] = set()

        def chain() -> Any:
            for _ in range(50):
                seen.add((yield Call(threading.current_thread)))

        store.run_saga(chain).result(10)
        assert all(thread.daemon for thread in seen)
        assert threading.main_thread() not in seen
        assert len(seen) <= 2


def test_workers_end_when_the_store_is_shut_down() -> None:
    """Those that are idle at once."""
    with store_with(4) as store:
        barrier = threading.Barrier(4)

        def meet() -> threading.Thread:
            barrier.wait(10)
            return threading.current_thread()

        threads = store.run_saga(lambda: (yield All([call(meet) for _ in range(4)]))).result(10)
        assert len(set(threads)) == 4
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_many_abandoned_calls_leave_the_pool_with_its_full_strength() -> None:
    """Each is replaced while it is stuck, and the replacement does not stay for ever."""
    release = threading.Event()
    with store_with(2) as store:
        for _ in range(5):
            started = [threading.Event(), threading.Event()]

            def stuck(event: threading.Event) -> None:
                event.set()
                release.wait()

            tasks = [store.run_saga(call(lambda event=event: stuck(event))) for event in started]
            for event in started:
                assert event.wait(10)
            for task in tasks:
                task.cancel()
                task.wait_done(10)
        release.set()
        barrier = threading.Barrier(2)
        for _ in range(50):
            store.run_saga(lambda: (yield All([call(lambda: barrier.wait(10))] * 2))).result(20)
        executor = store._runner.executor
        assert isinstance(executor, ThreadWorkers)


def test_a_system_that_refuses_the_first_thread_fails_the_calls_that_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They would otherwise wait for ever."""
    refuse_threads(monkeypatch, "milo-worker")
    with store_with(2) as store, pytest.raises(RuntimeError, match="can't start new thread"):
        store.run_saga(call(int)).result(10)


def test_a_system_that_refuses_a_later_thread_leaves_the_work_to_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three calls on one worker, one after the other."""
    refuse_threads(monkeypatch, "milo-worker-2")
    with store_with(2) as store:
        assert store.run_saga(lambda: (yield All([call(int)] * 3))).result(10) == (0, 0, 0)


def refuse_threads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the system refuse every thread whose name begins so."""
    start = threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        if self.name.startswith(name):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_there_are_at_least_two_workers_by_default() -> None:
    """Otherwise one for each usable processor."""
    assert default_workers() >= 2
