"""Binding: how a handler's parameters are filled from the results of its dependencies."""

from __future__ import annotations

import functools
import inspect
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from types import FunctionType
from typing import Any, Final, NamedTuple

from milo.errors import PipelineError

__all__ = ["Binding", "Context", "bind"]

_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Context(Mapping[str, Any]):
    """The results of a phase's dependencies by name, for reading; it can be pickled."""

    __slots__ = ("_results",)

    def __init__(self, results: Mapping[str, Any]) -> None:
        # Not copied: whoever makes one makes the mapping for it.
        self._results = results

    def __getitem__(self, name: str) -> Any:
        try:
            return self._results[name]
        except KeyError:
            known = ", ".join(self._results) or "none"
            raise KeyError(f"{name!r} is not a dependency of this phase; its dependencies: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, name: object) -> bool:
        return name in self._results

    # What Mapping would compose of the methods above, a call for each item.

    def keys(self) -> KeysView[str]:
        return self._results.keys()

    def values(self) -> ValuesView[Any]:
        return self._results.values()

    def items(self) -> ItemsView[str, Any]:
        return self._results.items()

    def get(self, name: str, default: Any = None) -> Any:
        return self._results.get(name, default)

    def __repr__(self) -> str:
        return f"Context({self._results!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Context, (self._results,)


class Binding(NamedTuple):
    """The names to pass by position and by keyword; `context` stands for the whole mapping."""

    positional: tuple[str, ...] = ()
    keyword: tuple[str, ...] = ()

    def arguments(
        self, depends_on: tuple[str, ...], results: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The args and kwargs for a call.

        Args:
            depends_on: The dependencies.
            results: Results by name, theirs among them; a skipped dependency has none and gives None.
        """
        if self is NOTHING:
            return (), {}
        get = results.get
        if self is CONTEXT_ONLY:
            results_of = {}
            for name in depends_on:
                results_of[name] = get(name)
            return (), {"context": Context(results_of)}
        values = {name: get(name) for name in depends_on}
        values["context"] = Context(values.copy())
        return tuple([values[name] for name in self.positional]), {
            name: values[name] for name in self.keyword
        }


NOTHING: Final = Binding()
CONTEXT_ONLY: Final = Binding((), ("context",))


def bind(name: str, handler: Any, depends_on: tuple[str, ...]) -> Binding:
    """Find out how to call `handler` of the phase `name`.

    Raises:
        PipelineError: It is not callable, is a generator function, or has a parameter that nothing fills.
    """
    if not callable(handler):
        raise PipelineError(
            f"The handler of phase {name!r} is not callable: got {handler!r}.",
            hint="Pass the function itself, without calling it.",
        )
    if handler.__class__ is FunctionType:
        plain = _plain(handler)
        if plain is not None:
            return plain
    _refuse_generators(name, handler)
    return _from_signature(name, handler, depends_on)


def _plain(handler: FunctionType) -> Binding | None:
    """The binding of the two commonest kinds of function, without the cost of a signature."""
    code = handler.__code__
    if hasattr(handler, "__wrapped__") or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        return None
    count = code.co_argcount + code.co_kwonlyargcount
    if count == 0:
        return NOTHING
    if count == 1 and code.co_varnames[0] == "context" and not code.co_posonlyargcount:
        return CONTEXT_ONLY
    return None


def _refuse_generators(name: str, handler: Any) -> None:
    # Not what functools.wraps points to: a wrapper may well collect what the generator inside it yields.
    function = handler
    while isinstance(function, functools.partial):
        function = function.func
    candidates = [function]
    if not inspect.isroutine(function) and not inspect.isclass(function):
        candidates.append(type(function).__call__)
    for candidate in candidates:
        if inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise PipelineError(
                f"The handler of phase {name!r} is a generator function, which would do nothing when called: "
                f"got {handler!r}.",
                hint="Return a value instead of yielding, or collect what it yields in a plain function.",
            )


def _from_signature(name: str, handler: Any, depends_on: tuple[str, ...]) -> Binding:
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return NOTHING  # a builtin that does not tell: called without arguments, as it may well allow
    positional: list[str] = []
    keyword: list[str] = []
    left_out = ""
    for parameter in parameters:
        if parameter.kind in _VARIADIC:
            continue
        by_position = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        if parameter.name == "context" or parameter.name in depends_on:
            if by_position and left_out:
                raise _behind(name, parameter.name, left_out)
            (positional if by_position else keyword).append(parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            raise _nothing_fills(name, parameter.name, depends_on)
        elif by_position:
            left_out = parameter.name
    return Binding(tuple(positional), tuple(keyword))


def _nothing_fills(name: str, parameter: str, depends_on: tuple[str, ...]) -> PipelineError:
    known = ", ".join(map(repr, depends_on)) or "none"
    return PipelineError(
        f"The handler of phase {name!r} has a parameter {parameter!r} that nothing fills. "
        f"Dependencies of the phase: {known}.",
        hint="Name it `context` or like a dependency, or give it a default.",
    )


def _behind(name: str, parameter: str, left_out: str) -> PipelineError:
    return PipelineError(
        f"The handler of phase {name!r} has a positional-only parameter {parameter!r} "
        f"behind {left_out!r}, which nothing fills.",
        hint=f"Put {parameter!r} first, or take the `/` out of the signature.",
    )
