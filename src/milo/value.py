"""Value: the base of milo's small immutable records, which are made by the thousand and compare by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Value", "assign", "setters"]


class Value:
    """An immutable record.

    A subclass names its fields in ``__slots__`` and, in the order of its arguments, in ``__match_args__``; its
    ``__init__`` writes them through `setters`. A frozen dataclass does the same, but costs three times as much.
    """

    __slots__: tuple[str, ...] = ()
    __match_args__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable: cannot set {name!r}. Make a new one instead."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable: cannot delete {name!r}. Make a new one instead."
        )

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self._values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()


def setters(cls: type[Value]) -> tuple[Callable[[Any, Any], None], ...]:
    """The functions that write a Value's fields, in the order of its arguments; for its ``__init__`` alone."""
    return tuple([getattr(cls, name).__set__ for name in cls.__match_args__])


def assign(value: Value, writers: tuple[Callable[[Any, Any], None], ...], fields: tuple[Any, ...]) -> None:
    """Write all fields of a new Value; where every nanosecond counts, its ``__init__`` calls the setters itself."""
    for write, field in zip(writers, fields, strict=True):
        write(value, field)
