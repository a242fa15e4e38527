"""The outbox: every action in order to every view, batches while a view is slow, and the end within its grace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import pytest

from milo import Action, Phase, Pipeline, PipelineState, Store
from milo.outbox import Outbox, View
from milo.pipeline import PHASE_LOG, PIPELINE_START

WAIT_S = 30


class Recorder:
    """A view that keeps what it hears, and stops at a gate if it is given one."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[tuple[list[Action], PipelineState]] = []
        self.closed: list[PipelineState] = []
        self.threads: set[int] = set()
        self.first = threading.Event()
        self._gate = gate

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        self.threads.add(threading.get_ident())
        self.batches.append((list(actions), state))
        self.first.set()
        if self._gate is not None:
            assert self._gate.wait(WAIT_S)

    def close(self, state: PipelineState) -> None:
        self.threads.add(threading.get_ident())
        self.closed.append(state)

    @property
    def actions(self) -> list[Action]:
        return [action for actions, _ in self.batches for action in actions]


class Broken:
    def __init__(self, *, when: str) -> None:
        self.when = when
        self.calls: list[str] = []

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        self.calls.append("actions")
        if self.when == "actions":
            raise RuntimeError("cannot draw")

    def close(self, state: PipelineState) -> None:
        self.calls.append("close")
        if self.when == "close":
            raise RuntimeError("cannot close")


def store_of(outbox: Outbox) -> Store:
    pipeline = Pipeline("p", Phase("a", lambda: None))
    return Store(pipeline.build_reducer(), middleware=outbox.middlewares)


def line(number: int) -> Action:
    return Action(PHASE_LOG, {"name": "a", "line": str(number), "stream": "stdout", "timestamp": 0.0})


def tell(
    views: Iterable[View], on_state: Callable[[PipelineState], object] | None = None, count: int = 50
) -> Store:
    """Send `count` lines through an outbox and close it."""
    outbox = Outbox(views, on_state)
    with store_of(outbox) as store:
        store.dispatch(Action(PIPELINE_START, 0.0))
        for number in range(count):
            store.dispatch(line(number))
        outbox.close(store.get_state(), WAIT_S)
    return store


def test_a_view_hears_every_action_in_order_and_then_the_end_once() -> None:
    view = Recorder()
    store = tell([view])
    assert view.actions[0] == Action(PIPELINE_START, 0.0)
    assert view.actions[1:] == [line(number) for number in range(50)]
    assert view.closed == [store.get_state()]


def test_init_is_not_told() -> None:
    view = Recorder()
    tell([view], count=0)
    assert [action.type for action in view.actions] == [PIPELINE_START]


def test_the_state_of_a_batch_is_the_one_after_its_last_action() -> None:
    view = Recorder()
    tell([view])
    for actions, state in view.batches:
        if actions[-1].type == PHASE_LOG:
            assert state.phase("a").logs[-1].line == actions[-1].payload["line"]


def test_everything_comes_from_one_thread_which_is_not_the_dispatchers() -> None:
    view, other = Recorder(), Recorder()
    tell([view, other])
    assert view.threads == other.threads
    assert len(view.threads) == 1
    assert threading.get_ident() not in view.threads


def test_what_happens_while_a_view_is_slow_comes_as_one_batch() -> None:
    gate = threading.Event()
    view = Recorder(gate)
    outbox = Outbox([view], None)
    with store_of(outbox) as store:
        store.dispatch(Action(PIPELINE_START, 0.0))
        assert view.first.wait(WAIT_S)
        for number in range(1000):
            store.dispatch(line(number))
        gate.set()
        outbox.close(store.get_state(), WAIT_S)
    assert [len(actions) for actions, _ in view.batches] == [1, 1000]


def test_actions_from_many_threads_arrive_in_the_order_of_the_store() -> None:
    view = Recorder()
    outbox = Outbox([view], None)
    with store_of(outbox) as store:
        seen: list[str] = []
        store.subscribe(lambda: seen.append(store.get_state().phase("a").logs[-1].line))

        def send(start: int) -> None:
            for number in range(start, start + 50):
                store.dispatch(line(number))

        threads = [threading.Thread(target=send, args=(start,)) for start in (0, 50, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outbox.close(store.get_state(), WAIT_S)
    assert [action.payload["line"] for action in view.actions] == seen
    assert len(seen) == 150


@pytest.mark.parametrize("when", ["actions", "close"])
def test_a_broken_view_is_logged_and_dropped_and_the_others_still_hear(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, view = Broken(when=when), Recorder()
    tell([broken, view])
    assert len(view.actions) == 51
    assert len(view.closed) == 1
    assert caplog.text.count("failed and is told no more; the run goes on") == 1
    assert broken.calls.count(when) == 1
    if when == "actions":
        assert broken.calls == ["actions"]


def test_an_on_state_that_never_returns_is_left_behind_after_grace(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    outbox = Outbox([], lambda state: gate.wait(WAIT_S))
    with store_of(outbox) as store:
        store.dispatch(Action(PIPELINE_START, 0.0))
        outbox.close(store.get_state(), 0.01)
    gate.set()
    assert "has not kept up for 0.01 s and is left behind" in caplog.text


def test_a_slow_view_is_waited_for_so_that_nothing_it_shows_is_lost() -> None:
    gate = threading.Event()
    slow = Recorder(gate)
    outbox = Outbox([slow], None)
    with store_of(outbox) as store:
        store.dispatch(Action(PIPELINE_START, 0.0))
        closing = threading.Thread(target=outbox.close, args=(store.get_state(), 0.0))
        closing.start()
        closing.join(0.1)
        assert closing.is_alive()
        gate.set()
        closing.join(WAIT_S)
        assert not closing.is_alive()


def test_on_state_hears_the_last_state_exactly_once() -> None:
    states: list[PipelineState] = []
    store = tell([], states.append)
    assert states[-1] is store.get_state()
    assert len([state for state in states if state is store.get_state()]) == 1


def test_on_state_hears_the_end_also_when_nothing_was_dispatched() -> None:
    states: list[PipelineState] = []
    outbox = Outbox([], states.append)
    with store_of(outbox) as store:
        outbox.close(store.get_state(), WAIT_S)
        assert states == [store.get_state()]


def test_without_watchers_nothing_is_set_up() -> None:
    before = threading.active_count()
    outbox = Outbox([], None)
    assert outbox.middlewares == ()
    outbox.close(PipelineState(), WAIT_S)
    assert threading.active_count() == before


def test_an_action_that_the_reducer_refuses_is_not_told() -> None:
    def reducer(state: object, action: Action) -> object:
        if action.type == "bad":
            raise ValueError("no")
        return PipelineState()

    view = Recorder()
    outbox = Outbox([view], None)
    with Store(reducer, middleware=outbox.middlewares) as store:
        with pytest.raises(Exception, match="no"):
            store.dispatch(Action("bad"))
        store.dispatch(Action("good"))
        outbox.close(store.get_state(), WAIT_S)
    assert [action.type for action in view.actions] == ["good"]
