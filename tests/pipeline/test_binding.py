"""Handlers: which parameters are filled, and what is refused when a phase is declared."""

import functools
import os
import pickle
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest

import milo
import milo.testing
from milo import Phase, Pipeline
from milo.errors import PipelineError
from milo.pipeline.binding import Context


def outcome(handler: Callable[..., Any], *, real: bool = False) -> Any:
    """What `handler` gives in a phase that depends on a (which gives 1) and on b (which is skipped)."""
    skip = milo.PhasePolicy(on_fail="skip")
    pipeline = Pipeline(
        "p",
        Phase("a", lambda: 1),
        Phase("b", lambda: 1 // 0, policy=skip),
        Phase("it", handler, depends_on=("a", "b")),
    )
    result = milo.run(pipeline) if real else milo.testing.run(pipeline)
    assert result.ok, result.state.phase("it").error
    return result.results["it"]


class Machine:
    def method(self, a: int) -> int:
        return a + 1

    @classmethod
    def class_method(cls, a: int) -> int:
        return a + 2

    @staticmethod
    def static_method(a: int) -> int:
        return a + 3

    def __call__(self, a: int, b: None) -> tuple[int, None]:
        return a, b


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return "wrapped", function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (lambda: "nothing", "nothing"),
        (lambda a: a, 1),
        (lambda b: b, None),
        (lambda a, b: (a, b), (1, None)),
        (lambda context: dict(context), {"a": 1, "b": None}),
        (lambda a, context: (a, context["a"]), (1, 1)),
        (lambda context, /: context["a"], 1),
        (lambda a, /: a, 1),
        (lambda a, /, *, context: (a, len(context)), (1, 2)),
        (lambda *, a: a, 1),
        (lambda a=5: a, 1),
        (lambda b=5: b, None),
        (lambda other=5: other, 5),
        (lambda context=None: context is None, False),
        (lambda *args, **kwargs: (args, kwargs), ((), {})),
        (lambda a, *args, **kwargs: (a, args, kwargs), (1, (), {})),
        (Machine().method, 2),
        (Machine.class_method, 3),
        (Machine.static_method, 4),
        (Machine(), (1, None)),
        (functools.partial(lambda x, a: (x, a), 7), (7, 1)),
        (functools.partial(lambda a, x: (x, a), x=7), (7, 1)),
        (functools.partial(Machine()), (1, None)),
        (decorated(lambda a: a), ("wrapped", 1)),
        (decorated(lambda: 4), ("wrapped", 4)),
        (dict, {}),
        (list, []),
        (os.getpid, os.getpid()),
    ],
)
def test_parameters_receive_the_results_of_dependencies(handler: Callable[..., Any], expected: Any) -> None:
    assert outcome(handler) == expected


async def asynchronous(a: int) -> int:
    return a + 10


class AsyncMachine:
    async def __call__(self, context: Mapping[str, int]) -> int:
        return context["a"] + 20


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (asynchronous, 11),
        (AsyncMachine(), 21),
        (functools.partial(asynchronous), 11),
        (lambda: asynchronous(5), 15),
    ],
)
def test_async_handlers_and_coroutines_that_are_returned_are_awaited(
    handler: Callable[..., Any], expected: int, real: bool
) -> None:
    assert outcome(handler, real=real) == expected


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class GeneratorMachine:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "handler",
    [
        generator,
        async_generator,
        GeneratorMachine(),
        functools.partial(generator),
        functools.partial(functools.partial(async_generator)),
        functools.partial(GeneratorMachine()),
        GeneratorMachine().__call__,
    ],
)
def test_a_generator_function_is_refused(handler: Callable[..., Any]) -> None:
    with pytest.raises(PipelineError) as caught:
        Phase("a", handler)
    assert "The handler of phase 'a' is a generator function, which would do nothing when called" in str(
        caught.value
    )
    assert "Return a value instead of yielding" in caught.value.hint


@pytest.mark.parametrize("handler", [None, 7, "work", Machine().method(1)])
def test_a_handler_that_is_not_callable_is_refused(handler: Any) -> None:
    with pytest.raises(PipelineError) as caught:
        Phase("a", handler)
    assert str(caught.value) == (
        f"The handler of phase 'a' is not callable: got {handler!r}. "
        "Pass the function itself, without calling it."
    )


@pytest.mark.parametrize(
    "handler",
    [
        lambda x: x,
        lambda x, /: x,
        lambda *, x: x,
        functools.partial(lambda x, y: x, y=1),
        decorated(lambda x: x),
        lambda parse, x: x,
    ],
)
def test_a_parameter_that_nothing_fills_is_refused(handler: Callable[..., Any]) -> None:
    with pytest.raises(PipelineError) as caught:
        Phase("a", handler, depends_on=("parse",))
    assert str(caught.value) == (
        "The handler of phase 'a' has a parameter 'x' that nothing fills. Dependencies of the phase: 'parse'. "
        "Name it `context` or like a dependency, or give it a default."
    )


def test_a_parameter_named_like_a_phase_that_is_no_dependency_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"'a' that nothing fills. Dependencies of the phase: none"):
        Phase("b", lambda a: a)


def test_a_positional_only_dependency_behind_a_parameter_that_nothing_fills_is_refused() -> None:
    def handler(x: int = 7, a: int = 0, /) -> tuple[int, int]:
        return x, a

    with pytest.raises(PipelineError) as caught:
        Phase("it", handler, depends_on=("a",))
    assert str(caught.value) == (
        "The handler of phase 'it' has a positional-only parameter 'a' behind 'x', which nothing fills. "
        "Put 'a' first, or take the `/` out of the signature."
    )


def test_a_parameter_that_a_partial_has_filled_keeps_its_value() -> None:
    assert outcome(functools.partial(lambda a, b: (a, b), 7)) == (7, None)


def test_a_dependency_called_context_is_still_found_in_the_mapping() -> None:
    pipeline = Pipeline(
        "p",
        Phase("context", lambda: 1),
        Phase("b", lambda context: context["context"], depends_on=("context",)),
    )
    assert milo.testing.run(pipeline).results["b"] == 1


def test_the_context_is_read_only_and_can_be_pickled() -> None:
    context = Context({"a": 1, "b": [2]})
    with pytest.raises(TypeError):
        context["a"] = 2  # type: ignore[index]
    again = pickle.loads(pickle.dumps(context))
    assert again == context == {"a": 1, "b": [2]}
    assert ("a" in again, "c" in again, list(again), len(again)) == (True, False, ["a", "b"], 2)
    assert repr(again) == "Context({'a': 1, 'b': [2]})"


def test_the_context_names_the_dependencies_when_asked_for_another() -> None:
    with pytest.raises(KeyError, match="'c' is not a dependency of this phase; its dependencies: a, b"):
        Context({"a": 1, "b": 2})["c"]


def test_the_context_holds_the_dependencies_and_nothing_else() -> None:
    pipeline = Pipeline(
        "p",
        Phase("a", lambda: 1),
        Phase("b", lambda: 2, depends_on=("a",)),
        Phase("c", lambda context: dict(context), depends_on=("b",)),
    )
    assert milo.testing.run(pipeline).results["c"] == {"b": 2}


def test_a_wrapper_that_collects_a_generator_is_no_generator() -> None:
    """functools.wraps points to the generator function, but calling the wrapper gives the list."""

    @functools.wraps(generator)
    def collect() -> list[int]:
        return list(generator())

    assert Phase("a", collect).handler is collect
