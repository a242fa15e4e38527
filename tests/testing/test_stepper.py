"""step: a saga driven by hand, Forks and all."""

import pytest

from milo import Action, Call, Fork, Phase, Pipeline, Put, Select
from milo.saga.effects import Saga
from milo.testing import step


def test_it_returns_every_effect_those_of_forks_where_they_were_forked() -> None:
    def child() -> Saga:
        yield Put(Action("child"))

    def saga() -> Saga:
        yield Put(Action("before"))
        yield Fork(child)
        yield Put(Action("after"))

    effects = step(saga)
    assert [each.action.type for each in effects if isinstance(each, Put)] == ["before", "child", "after"]
    assert isinstance(effects[1], Fork)


def test_calls_are_made_and_what_they_raise_is_thrown_into_the_saga() -> None:
    def saga() -> Saga:
        answer = yield Call(int, ("7",))
        try:
            yield Call(int, ("x",))
        except ValueError:
            yield Put(Action("caught", answer))

    assert step(saga())[-1] == Put(Action("caught", 7))


def test_other_effects_get_the_answer_that_is_given() -> None:
    def saga() -> Saga:
        yield Put(Action("state", (yield Select())))

    assert step(saga)[-1] == Put(Action("state", None))
    assert step(saga, lambda effect: {"a": 1})[-1] == Put(Action("state", {"a": 1}))


def test_what_the_saga_does_not_catch_is_raised() -> None:
    def saga() -> Saga:
        yield Call(int, ("x",))

    with pytest.raises(ValueError, match="invalid literal"):
        step(saga)


def test_it_steps_a_whole_pipeline() -> None:
    done: list[str] = []
    pipeline = Pipeline(
        "p",
        Phase("a", lambda: done.append("a")),
        Phase("b", lambda: done.append("b"), parallel=True, depends_on=("a",)),
        Phase("c", lambda: done.append("c"), parallel=True, depends_on=("a",)),
        Phase("d", lambda: done.append("d"), depends_on=("b", "c")),
    )
    effects = step(pipeline.build_saga())
    assert done == ["a", "b", "c", "d"]
    state = None
    reducer = pipeline.build_reducer()
    for effect in effects:
        if isinstance(effect, Put):
            state = reducer(state, effect.action)
    assert state is not None
    assert state.status == "completed"
