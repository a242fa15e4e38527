"""`-p name=value` for a function that makes a pipeline: text converted by the function's annotations."""

from __future__ import annotations

import difflib
import enum
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from milo.errors import TargetError

__all__ = ["arguments", "parse"]

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_SEVERAL: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: list,
    Iterable: list,
}


def parse(pairs: Iterable[str]) -> dict[str, list[str]]:
    """Split ``name=value`` texts into the values of each name, in the order given.

    Raises:
        TargetError: One has no ``=`` or no name.
    """
    values: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise TargetError(f"-p expects name=value, not {pair!r}.")
        # A dash reads better on a command line, and no Python name has one.
        values.setdefault(name.replace("-", "_"), []).append(value)
    return values


def arguments(function: Callable[..., Any], given: dict[str, list[str]]) -> tuple[list[Any], dict[str, Any]]:
    """Convert the values that were given for a function's parameters.

    Args:
        function: What makes the pipeline.
        given: The texts given for each name, see `parse`.

    Returns:
        Positional and keyword arguments to call it with.

    Raises:
        TargetError: A parameter is unknown, missing or given a value that it cannot take.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    rest = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for name in given:
        if name not in named and not rest:
            raise TargetError(f"There is no parameter {name!r}.", hint=_available(name, named))
    missing = [name for name, p in named.items() if p.default is p.empty and name not in given]
    if missing:
        raise TargetError(
            f"Parameter {missing[0]!r} is missing.",
            hint=f"Give it with -p {missing[0]}=VALUE. {_available('', named)}",
        )
    positional: list[Any] = []
    keywords: dict[str, Any] = {name: values[-1] for name, values in given.items() if name not in named}
    for name, parameter in named.items():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            value = _value(function, parameter, given[name]) if name in given else parameter.default
            positional.append(value)
        elif name in given:
            keywords[name] = _value(function, parameter, given[name])
    return positional, keywords


def _available(name: str, parameters: dict[str, inspect.Parameter]) -> str:
    if not parameters:
        return "It takes no parameters."
    near = difflib.get_close_matches(name, parameters, 1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    told = ", ".join(_declared(parameter) for parameter in parameters.values())
    return f"{suggestion}Available parameters: {told}."


def _declared(parameter: inspect.Parameter) -> str:
    text = parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_kind_name(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        text += f" = {_written(parameter.default)}"
    return text


def _written(default: object) -> str:
    """A default as it would be given on the command line."""
    if isinstance(default, enum.Enum):
        return default.name
    return str(default) if isinstance(default, Path) else repr(default)


def _kind_name(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    return (
        kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
    )


def _value(function: Callable[..., Any], parameter: inspect.Parameter, texts: list[str]) -> Any:
    kind = _annotation(function, parameter)
    collection, item = _several(kind)
    try:
        if collection is not None:
            return collection([_convert(text, item) for text in texts])
        if len(texts) > 1:
            raise TargetError(
                f"Parameter {parameter.name!r} was given {len(texts)} times; it takes one value."
            )
        return _convert(texts[0], kind)
    except _Refused as refused:
        raise TargetError(
            f"Parameter {parameter.name!r} must be {refused.wanted}, not {refused.text!r}."
        ) from None


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Find what a parameter is annotated with, from text if need be; its default tells where nothing does."""
    kind = parameter.annotation
    if isinstance(kind, str):
        scope = getattr(inspect.unwrap(function), "__globals__", {})
        try:
            kind = eval(kind, scope)
        except Exception as error:
            raise TargetError(
                f"Parameter {parameter.name!r}: its annotation {kind!r} does not exist."
            ) from error
    if kind is parameter.empty:
        default = type(parameter.default)
        return default if default in (bool, int, float) or issubclass(default, Path) else str
    return kind


def _several(kind: Any) -> tuple[Callable[[list[Any]], Any] | None, Any]:
    """Tell what collects repeated values, and what each is; (None, ...) for a single value."""
    kind = _plain(kind)
    if get_origin(kind) in (Union, types.UnionType):
        for member in get_args(kind):
            found = _several(member)
            if found[0] is not None:
                return found
        return None, kind
    origin = get_origin(kind) or kind
    for several, collect in _SEVERAL.items():
        if origin is several:
            items = get_args(kind)
            return collect, items[0] if items else str
    return None, kind


def _plain(kind: Any) -> Any:
    while get_origin(kind) is typing.Annotated:
        kind = get_args(kind)[0]
    return kind


class _Refused(Exception):  # noqa: N818  # never leaves this file
    def __init__(self, text: str, wanted: str) -> None:
        self.text = text
        self.wanted = wanted


def _convert(text: str, kind: Any) -> Any:
    kind = _plain(kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(text, get_args(kind))
    if origin is Literal:
        for value in get_args(kind):
            if text == str(value):
                return value
        raise _Refused(text, f"one of {', '.join(map(str, get_args(kind)))}")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(text, kind)
    if kind is bool:
        return _truth(text)
    if kind in (int, float):
        return _number(text, kind)
    if kind is types.NoneType:
        if text.lower() in ("", "none"):
            return None
        raise _Refused(text, "none")
    if isinstance(kind, type) and issubclass(kind, Path):
        return kind(text)
    if kind in (str, Any, object):
        return text
    raise _Refused(text, f"a {_kind_name(kind)}, which the command line cannot make")


def _one_of(text: str, kinds: tuple[Any, ...]) -> Any:
    # Text takes anything, so it is asked last; `none` means None before it means the word.
    order = sorted(kinds, key=lambda kind: (kind is str, kind is not types.NoneType))
    wanted = []
    for kind in order:
        try:
            return _convert(text, kind)
        except _Refused as refused:
            wanted.append(refused.wanted)
    raise _Refused(text, " or ".join(wanted))


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise _Refused(text, "true or false")


def _number(text: str, kind: type) -> int | float:
    try:
        number: int | float = kind(text)
    except ValueError:
        raise _Refused(text, "a whole number" if kind is int else "a number") from None
    if not math.isfinite(number):
        raise _Refused(text, "a finite number")
    return number


def _member(text: str, kind: type[enum.Enum]) -> enum.Enum:
    for member in kind:
        if text in (member.name, str(member.value)):
            return member
    raise _Refused(text, f"one of {', '.join(member.name for member in kind)}")
