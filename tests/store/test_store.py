"""The store: one state, one order, and what happens when something in it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from milo.action import INIT, Action
from milo.errors import StateError
from milo.saga import Put, Take
from milo.store import Quit, ReducerResult, Store
from milo.testing import FakeClock, VirtualExecutor


def count(state: int | None, action: Action) -> int:
    return (state or 0) + (action.type == "add")


def fake_store(reducer: Callable[[Any, Action], Any] = count, **options: Any) -> Store:
    clock = FakeClock()
    return Store(reducer, clock=clock, executor=VirtualExecutor(clock), **options)


def test_init_makes_the_first_state() -> None:
    """The reducer is asked with None and @@INIT."""
    seen: list[tuple[Any, str]] = []

    def reducer(state: Any, action: Action) -> str:
        seen.append((state, action.type))
        return "first"

    assert fake_store(reducer).get_state() == "first"
    assert seen == [(None, INIT)]


def test_a_state_that_is_given_is_kept() -> None:
    """@@INIT does not replace it, and `state` is the same as get_state()."""
    store = fake_store(initial_state=7)
    assert store.get_state() == store.state == 7


def test_a_listener_hears_every_action_until_it_unsubscribes() -> None:
    """It is called without arguments, after the state has changed."""
    store, heard = fake_store(), []
    unsubscribe = store.subscribe(lambda: heard.append(store.state))
    store.dispatch(Action("add"))
    store.dispatch(Action("add"))
    unsubscribe()
    unsubscribe()
    store.dispatch(Action("add"))
    assert heard == [1, 2]


def test_a_listener_subscribed_twice_is_called_twice() -> None:
    """Each subscription ends by itself."""
    store, heard = fake_store(), []

    def listener() -> None:
        heard.append(1)

    first = store.subscribe(listener)
    store.subscribe(listener)
    store.dispatch(Action("add"))
    first()
    store.dispatch(Action("add"))
    assert len(heard) == 3


def test_a_listener_that_raises_is_reported_and_the_others_still_hear(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broken listener hurts neither the dispatcher nor its neighbours."""
    store, heard = fake_store(), []
    store.subscribe(lambda: 1 // 0)
    store.subscribe(lambda: heard.append(1))
    with caplog.at_level(logging.ERROR, "milo"):
        store.dispatch(Action("add"))
    assert heard == [1]
    assert "listener" in caplog.text


def test_a_dispatch_from_a_listener_comes_after_the_current_action() -> None:
    """All listeners see the actions in one order, and the outer dispatch returns after both."""
    log: list[str] = []

    def reducer(state: Any, action: Action) -> list[str]:
        return [*(state or []), action.type] if action.type != INIT else []

    store = fake_store(reducer)

    def first() -> None:
        log.append(f"first {store.state[-1]}")
        if store.state == ["a"]:
            store.dispatch(Action("b"))
            assert store.state == ["a"]

    store.subscribe(first)
    store.subscribe(lambda: log.append(f"second {store.state[-1]}"))
    store.dispatch(Action("a"))
    assert store.state == ["a", "b"]
    assert log == ["first a", "second a", "first b", "second b"]


def test_a_dispatch_from_middleware_comes_after_the_current_action() -> None:
    """Even when it dispatches before handing its own action on."""

    def reducer(state: Any, action: Action) -> list[str]:
        return [*(state or []), action.type] if action.type != INIT else []

    def twice(next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            if action.type == "a":
                store.dispatch(Action("b"))
            return next_dispatch(action)

        return dispatch

    store = fake_store(reducer, middleware=[twice])
    store.dispatch(Action("a"))
    assert store.state == ["a", "b"]


def test_middleware_wraps_with_the_first_outermost() -> None:
    """Each sees the action on its way in and the result on its way out."""
    log: list[str] = []

    def layer(name: str) -> Any:
        def wrap(next_dispatch: Any, get_state: Any) -> Any:
            def dispatch(action: Action) -> Any:
                log.append(f"{name} in {get_state()}")
                next_dispatch(action)
                log.append(f"{name} out {get_state()}")

            return dispatch

        return wrap

    store = fake_store(middleware=[layer("a"), layer("b")])
    log.clear()
    store.dispatch(Action("add"))
    assert log == ["a in 0", "b in 0", "b out 1", "a out 1"]


@pytest.mark.parametrize("middleware", [3, [3], [None]])
def test_middleware_that_is_none_is_refused(middleware: Any) -> None:
    with pytest.raises(StateError, match="middleware must be"):
        fake_store(middleware=middleware)


def test_a_dispatch_from_a_reducer_is_refused() -> None:
    """Reducers only compute; the refusal names the action and the way out."""

    def reducer(state: Any, action: Action) -> int:
        if action.type == "add":
            store.dispatch(Action("other"))
        return 1

    store = fake_store(reducer)
    with pytest.raises(StateError, match="other"):
        store.dispatch(Action("add"))
    assert store.state == 1
    store.dispatch(Action("fine"))


def test_a_reducer_that_raises_leaves_the_state_and_tells_the_dispatcher() -> None:
    """The error is the StateError's cause, and the store goes on."""

    def reducer(state: int | None, action: Action) -> int:
        if action.type == "bad":
            raise ValueError("no")
        return count(state, action)

    store = fake_store(reducer)
    store.dispatch(Action("add"))
    with pytest.raises(StateError, match=r"bad.*ValueError: no") as refused:
        store.dispatch(Action("bad"))
    assert isinstance(refused.value.__cause__, ValueError)
    store.dispatch(Action("add"))
    assert store.state == 2


def test_a_base_exception_in_a_reducer_leaves_the_store_usable() -> None:
    """Not even KeyboardInterrupt keeps the turn."""

    def reducer(state: int | None, action: Action) -> int:
        if action.type == "stop":
            raise KeyboardInterrupt
        return count(state, action)

    store = fake_store(reducer)
    with pytest.raises(KeyboardInterrupt):
        store.dispatch(Action("stop"))
    store.dispatch(Action("add"))
    assert store.state == 1


def test_every_listener_sees_one_order_from_many_threads() -> None:
    """Reducer and listeners of one action run before those of the next, whatever thread dispatches."""

    def reducer(state: Any, action: Action) -> tuple[Any, ...]:
        return (*(state or ()), action.payload) if action.type == "add" else ()

    with Store(reducer) as store:
        orders: list[list[Any]] = [[], []]
        inside = threading.Lock()

        def listener(order: list[Any]) -> None:
            assert inside.acquire(blocking=False)
            order.append(store.state[-1])
            inside.release()

        for order in orders:
            store.subscribe(lambda order=order: listener(order))  # type: ignore[misc]
        start = threading.Barrier(6)

        def work(name: int) -> None:
            start.wait()
            for number in range(100):
                store.dispatch(Action("add", (name, number)))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert orders[0] == orders[1] == list(store.state)
        assert len(store.state) == 600
        for name in range(6):
            assert [number for who, number in store.state if who == name] == list(range(100))


def test_what_is_dispatched_by_several_threads_is_applied_when_dispatch_returns() -> None:
    """Also where another thread has applied it."""
    with Store(lambda state, action: (state or frozenset()) | {action.payload}) as store:
        missed: list[int] = []

        def work(base: int) -> None:
            for number in range(base, base + 300):
                store.dispatch(Action("add", number))
                if number not in store.state:
                    missed.append(number)

        threads = [threading.Thread(target=work, args=(base * 1000,)) for base in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert missed == []


def test_a_reducer_error_goes_to_the_thread_that_dispatched() -> None:
    """Never to the one that happened to apply the action."""

    def reducer(state: Any, action: Action) -> Any:
        if action.type == "bad":
            raise ValueError(action.payload)
        return state

    with Store(reducer) as store:
        wrong: list[object] = []

        def bad(name: int) -> None:
            for _ in range(200):
                try:
                    store.dispatch(Action("bad", name))
                except StateError as error:
                    if str(name) not in str(error):
                        wrong.append(error)
                else:
                    wrong.append("no error")

        def good() -> None:
            for _ in range(200):
                try:
                    store.dispatch(Action("good"))
                except StateError as error:
                    wrong.append(error)

        threads = [threading.Thread(target=bad, args=(name,)) for name in (101, 202)]
        threads += [threading.Thread(target=good) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_reducer_may_start_sagas_and_quit() -> None:
    """ReducerResult starts what it names; Quit also sets quit_requested and the exit status."""

    def saga() -> Any:
        yield Put(Action("add"))

    def reducer(state: int | None, action: Action) -> Any:
        if action.type == "go":
            return ReducerResult(state, sagas=(saga, saga()))
        if action.type == "end":
            return Quit(state, code=3)
        return count(state, action)

    store = fake_store(reducer)
    store.dispatch(Action("go"))
    assert store.state == 2
    assert (store.quit_requested, store.exit_code) == (False, 0)
    store.dispatch(Action("end"))
    assert (store.quit_requested, store.exit_code, store.state) == (True, 3, 2)


def test_shutdown_cancels_sagas_and_refuses_later_actions() -> None:
    """It may be called again, and runs the cleanup of sagas that wait."""
    store, log = fake_store(), []

    def saga() -> Any:
        try:
            yield Take("never")
        finally:
            log.append("cleanup")

    task = store.run_saga(saga)
    store.shutdown()
    store.shutdown()
    assert log == ["cleanup"]
    assert task.cancelled()
    with pytest.raises(StateError, match="shut down"):
        store.dispatch(Action("add"))
    with pytest.raises(StateError, match="shut down"):
        store.run_saga(saga)


def test_shutdown_does_not_wait_for_a_handler() -> None:
    """A call that is busy is left behind, and nobody waits for its result for ever."""
    from milo.saga import Call

    started, release = threading.Event(), threading.Event()

    def busy() -> None:
        started.set()
        release.wait()

    def saga() -> Any:
        yield Call(busy)

    store = Store(count)
    task = store.run_saga(saga)
    assert started.wait(10)
    store.shutdown()
    assert task.cancelled()
    release.set()


def test_what_cannot_work_is_refused() -> None:
    """With the value that was received."""
    with pytest.raises(StateError, match="callable, got 5"):
        Store(5)  # type: ignore[arg-type]
    with pytest.raises(StateError, match=r"max_workers.*got 0"):
        Store(count, max_workers=0)
    store = fake_store()
    with pytest.raises(StateError, match="Only actions"):
        store.dispatch("add")  # type: ignore[arg-type]
    with pytest.raises(StateError, match="listener must be callable"):
        store.subscribe(None)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="generator"):
        store.run_saga(lambda: 5)  # type: ignore[arg-type, return-value]


def test_posted_actions_keep_their_order_before_a_later_dispatch() -> None:
    """Posting does not wait, but whatever is dispatched afterwards comes behind."""

    def reducer(state: Any, action: Action) -> tuple[Any, ...]:
        return (*(state or ()), action.payload) if action.type == "add" else ()

    with Store(reducer) as store:

        def work(name: int) -> None:
            for number in range(200):
                store.post(Action("add", (name, number)))
            store.dispatch(Action("add", (name, "end")))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in range(4):
            assert [what for who, what in store.state if who == name] == [*range(200), "end"]


def test_a_saga_that_cannot_be_started_spoils_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """Listeners hear of the new state, the other sagas start, and the dispatcher is told."""
    ran: list[str] = []

    def good() -> Any:
        ran.append("good")
        yield Put(Action("from good"))

    def reducer(state: Any, action: Action) -> Any:
        return ReducerResult("new", sagas=[42, good]) if action.type == "go" else state

    store = fake_store(reducer)
    heard: list[Any] = []
    store.subscribe(lambda: heard.append(store.state))
    with pytest.raises(StateError, match=r"on go could not be started: .* got 42\."):
        store.dispatch(Action("go"))
    store.dispatch(Action("next"))
    assert ran == ["good"]
    assert heard[0] == "new"


def test_a_base_exception_in_a_listener_keeps_nothing_from_the_others() -> None:
    """The other listeners and the sagas hear the action; then the dispatcher gets it."""
    store = fake_store()
    heard: list[int] = []

    def leave() -> None:
        if store.state == 1:
            raise SystemExit(3)

    store.subscribe(leave)
    store.subscribe(lambda: heard.append(store.state))
    task = store.run_saga(lambda: (yield Take("add")))
    with pytest.raises(SystemExit):
        store.dispatch(Action("add"))
    store.dispatch(Action("add"))
    assert heard == [1, 2]
    assert task.result(0) == Action("add")


@pytest.mark.parametrize("workers", [0, -1, True, 2.0, "4", "many", float("inf")])
def test_a_number_of_workers_that_cannot_be_is_refused(workers: Any) -> None:
    """With the value received."""
    with pytest.raises(StateError, match="max_workers must be a whole number"):
        Store(count, max_workers=workers)
