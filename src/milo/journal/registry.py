"""The dataclasses that users let the codec keep, and how one is taken apart and put together again."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Final, TypeVar

from milo.journal.errors import CodecError

__all__ = ["Shape", "register", "shape_named", "shape_of"]

_T = TypeVar("_T")


class Shape:
    """What the codec knows of a registered dataclass.

    Args:
        cls: The class.
        name: What it is called in a journal.
    """

    __slots__ = ("_computed", "cls", "fields", "name")

    def __init__(self, cls: type, name: str) -> None:
        self.cls = cls
        self.name = name
        self.fields = tuple(field.name for field in dataclasses.fields(cls))
        # A cached property is worked out again when somebody asks.
        self._computed = frozenset(
            key
            for base in cls.__mro__
            for key, value in vars(base).items()
            if isinstance(value, functools.cached_property)
        )

    def stray(self, value: Any) -> str:
        """An attribute of `value` that is no field of it, and would be lost; "" when there is none."""
        held = list(getattr(value, "__dict__", ()))
        return next((key for key in held if key not in self.fields and key not in self._computed), "")

    def build(self, values: dict[str, Any]) -> Any:
        """An instance with these fields. None of the class's own code is run: neither __init__ nor __setattr__.

        Raises:
            CodecError: The class has other fields today.
        """
        if values.keys() != set(self.fields):
            raise CodecError(
                f"The dataclass {self.name} was kept with the fields {', '.join(values) or 'none'}, "
                f"and has {', '.join(self.fields) or 'none'} today."
            )
        instance: Any = object.__new__(self.cls)
        for field, value in values.items():
            object.__setattr__(instance, field, value)
        return instance


_by_class: Final[dict[type, Shape]] = {}
_by_name: Final[dict[str, Shape]] = {}


def register(cls: type[_T], *, name: str = "") -> type[_T]:
    """Let results hold instances of a dataclass; also a decorator.

    Args:
        cls: The dataclass. Its subclasses are not meant.
        name: What it is called in a journal; its module and name by default. Give one to be free to move it.

    Returns:
        The class.

    Raises:
        CodecError: It is no dataclass, or another class has that name.
    """
    if (
        not isinstance(cls, type)
        or not dataclasses.is_dataclass(cls)
        or "__dataclass_fields__" not in vars(cls)
    ):
        raise CodecError(
            f"Only a dataclass can be registered, got {cls!r}.", hint="Decorate it with @dataclass."
        )
    default = f"{cls.__module__}.{cls.__qualname__}"
    name = name or default
    known = _by_name.get(name)
    if known is not None and known.cls is not cls:
        # A module that is loaded again defines its classes again.
        if f"{known.cls.__module__}.{known.cls.__qualname__}" != default:
            raise CodecError(f"{name!r} is the name of {known.cls!r} already.", hint="Give another name.")
        _by_class.pop(known.cls, None)
    _by_class[cls] = _by_name[name] = Shape(cls, name)
    return cls


def shape_of(cls: type) -> Shape | None:
    """What is known of a class; None when it was not registered."""
    return _by_class.get(cls)


def shape_named(name: str) -> Shape | None:
    """What is known of the class that a journal calls `name`."""
    return _by_name.get(name)
