"""All, Race and attached forks: who is told, who is cancelled, and whose error it becomes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milo.action import SAGA_ERROR, Action
from milo.saga import All, Call, Cancel, Delay, Fork, Join, Put, Race, SagaCancelled, Take, Timeout, TryCall

from .world import World


def after(seconds: float, value: Any = None, log: list[Any] | None = None) -> Any:
    """A saga that answers `value` after a time, raises it if it is an exception, and logs its cancellation."""

    def saga() -> Any:
        try:
            yield Delay(seconds)
        except SagaCancelled:
            if log is not None:
                log.append(value)
            raise
        if isinstance(value, Exception):
            raise value
        return value

    return saga


def test_all_answers_in_the_order_of_its_sagas(world: World) -> None:
    """Whoever ends first."""

    def saga() -> Any:
        return (yield All([after(2, "slow"), after(1, "fast"), after(0, "now")()])), (yield All(()))

    assert world.result(saga) == (("slow", "fast", "now"), ())
    assert world.clock.now() == 100


def test_all_fails_with_the_first_error_and_cancels_the_others(world: World) -> None:
    """The error is raised where the All was yielded, and is not reported a second time."""
    log: list[Any] = []

    def saga() -> Any:
        with pytest.raises(ValueError, match="no"):
            yield All([after(5, "slow", log), after(1, ValueError("no")), after(7, "slower", log)])
        return "caught"

    assert world.result(saga) == "caught"
    assert log == ["slow", "slower"]
    assert SAGA_ERROR not in world.types


def test_race_of_a_thousand_cancels_the_losers(world: World) -> None:
    """The answer is that of the first to end."""
    log: list[Any] = []

    def saga() -> Any:
        return (yield Race([after(1000 - number, number, log) for number in range(1000)]))

    assert world.result(saga) == 999
    assert sorted(log) == list(range(999))


def test_race_raises_the_error_of_the_first_to_end(world: World) -> None:
    """Also when others would have succeeded later."""

    def saga() -> Any:
        with pytest.raises(ValueError, match="first"):
            yield Race([after(2, "late"), after(1, ValueError("first"))])
        return "caught"

    assert world.result(saga) == "caught"


def test_cancelling_the_parent_cancels_what_it_waits_for(world: World) -> None:
    """Whether it is an All, a Race or an attached fork."""
    for group in (All, Race):
        log: list[Any] = []

        def saga(group: Any = group, log: Any = log) -> Any:
            yield group([after(5, "a", log), after(6, "b", log)])

        task = world.run(saga)
        task.cancel()
        assert log == ["a", "b"]
        assert task.cancelled()


def test_a_parent_ends_after_its_attached_children(world: World) -> None:
    """Its own result is kept until then."""

    def saga() -> Any:
        yield Fork(after(3), attached=True)
        return "mine"

    task = world.run(saga)
    world.clock.advance(2)
    assert not task.done()
    world.clock.advance(1)
    assert task.result() == "mine"


def test_a_detached_child_is_independent(world: World) -> None:
    """The parent ends before it, its cancellation does not reach it, and its error is its own."""
    children = []

    def saga() -> Any:
        children.append((yield Fork(after(3, "later"))))
        children.append((yield Fork(after(3, ValueError("its own")))))

    task = world.run(saga)
    assert task.done()
    assert not children[0].done()
    world.clock.advance(3)
    assert children[0].result() == "later"
    assert isinstance(children[1].exception(), ValueError)
    assert world.types == [SAGA_ERROR]


def test_an_attached_childs_error_becomes_the_parents_with_one_report(world: World) -> None:
    """Siblings are cancelled, cleanup runs, and @@SAGA_ERROR is dispatched once, however deep the child was."""
    log: list[Any] = []

    def inner() -> Any:
        yield Fork(after(1, ValueError("deep")), attached=True)
        yield Fork(after(9, "inner sibling", log), attached=True)
        yield Delay(50)

    def outer() -> Any:
        try:
            yield Fork(inner, attached=True)
            yield Fork(after(9, "outer sibling", log), attached=True)
            yield Delay(50)
        finally:
            log.append("outer cleanup")
            yield Put(Action("cleaned"))

    task = world.run(outer)
    world.clock.advance(1)
    assert str(task.exception()) == "deep"
    assert log == ["inner sibling", "outer sibling", "outer cleanup"]
    assert world.types == ["cleaned", SAGA_ERROR]
    payload = world.actions[-1].payload
    assert payload == {"error": "deep", "type": "ValueError", "saga_id": task.id}


def test_a_parent_that_has_returned_still_takes_its_childs_error(world: World) -> None:
    """It has not ended before its children."""

    def saga() -> Any:
        yield Fork(after(1, ValueError("late")), attached=True)
        return "fine"

    task = world.run(saga)
    world.clock.advance(1)
    assert str(task.exception()) == "late"
    assert world.types == [SAGA_ERROR]


def test_a_cancelled_attached_child_does_not_fail_its_parent(world: World) -> None:
    """Cancelling a child on purpose is no error."""

    def saga() -> Any:
        child = yield Fork(after(5), attached=True)
        yield Cancel(child)
        return "fine"

    assert world.result(saga) == "fine"


trees = st.recursive(
    st.tuples(st.just("leaf"), st.integers(0, 5), st.booleans()),
    lambda inner: st.tuples(
        st.sampled_from(["all", "race", "attached", "detached"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(tree=trees, cancel_at=st.none() | st.integers(0, 6))
def test_every_saga_of_a_random_tree_ends_and_cleans_up_once(tree: Any, cancel_at: int | None) -> None:
    """Whatever fails, races or is cancelled: no task is left, and every finally runs exactly once."""
    world = World()
    entered: set[int] = set()
    left: list[int] = []
    numbers = itertools.count()

    def build(node: Any) -> Any:
        def saga() -> Any:
            number = next(numbers)
            entered.add(number)
            try:
                if node[0] == "leaf":
                    yield Delay(node[1])
                    if node[2]:
                        raise ValueError("leaf")
                elif node[0] in ("all", "race"):
                    yield (All if node[0] == "all" else Race)([build(child) for child in node[1]])
                else:
                    tasks = []
                    for child in node[1]:
                        tasks.append((yield Fork(build(child), attached=node[0] == "attached")))
                    for task in tasks[:1]:
                        yield Join(task)
            finally:
                left.append(number)

        return saga

    task = world.run(build(tree))
    if cancel_at is not None:
        world.clock.advance(cancel_at)
        task.cancel()
    world.clock.advance(100)
    assert task.done()
    assert sorted(left) == sorted(entered)
    assert not world.store._runner._tasks
    world.store.shutdown()


def test_an_error_in_the_cleanup_of_a_loser_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it any more, but it is not hidden."""

    def loser() -> Any:
        try:
            yield Delay(9)
        finally:
            raise ValueError("in the cleanup")

    def saga() -> Any:
        return (yield Race([loser, after(1, "won")]))

    assert world.result(saga) == "won"
    assert "nobody waited" in caplog.text
    assert "in the cleanup" in caplog.text


def test_an_error_in_the_cleanup_of_a_cancelled_all_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The parent was cancelled itself and hears no answer."""

    def child() -> Any:
        try:
            yield Delay(9)
        finally:
            raise ValueError("in the cleanup")

    def saga() -> Any:
        yield All([child])

    task = world.run(saga)
    task.cancel()
    assert task.cancelled()
    assert "in the cleanup" in caplog.text


def test_a_saga_that_is_cancelled_may_use_groups_in_its_cleanup(world: World) -> None:
    """They answer as ever."""
    log: list[Any] = []

    def saga() -> Any:
        try:
            yield Delay(9)
        finally:
            log.append((yield All([after(1, "a"), after(2, "b")])))
            log.append((yield Race([after(1, "c"), after(2, "d")])))
            log.append((yield TryCall(lambda: "called")))
            log.append((yield Timeout(Call(lambda: "in time"), 1)))
            child = yield Fork(after(1, "attached"), attached=True)
            log.append((yield Join(child)))

    task = world.run(saga)
    task.cancel()
    world.clock.advance(9)
    assert log == [("a", "b"), "c", ("called", None), "in time", "attached"]
    assert task.cancelled()


def test_a_child_that_is_forked_as_its_parent_is_cancelled_is_cancelled_too(world: World) -> None:
    """The parent goes on once more between the cancellation and hearing of it."""
    log: list[Any] = []

    def parent() -> Any:
        yield Fork(after(5, "early", log), attached=True)
        yield Take("go")
        yield Fork(after(5, "late", log), attached=True)
        yield Delay(9)

    task = world.run(parent)

    def both() -> Any:
        task.cancel()
        yield Put(Action("go"))

    world.run(both)
    assert task.cancelled()
    assert log == ["early", "late"]
