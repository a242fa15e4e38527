"""The digest of a handler: its code, defaults and closure, the same in every process and wherever its file stands."""

from __future__ import annotations

import dis
import functools
import inspect
import struct
import sys
from collections.abc import Callable, Iterable
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from milo.journal.codec import encode
from milo.journal.errors import CodecError, TooLargeError

__all__ = ["PYTHON", "Digest", "Digester"]

PYTHON: Final = f"{sys.implementation.cache_tag}-O{sys.flags.optimize}"
"""Code compiled by another Python has other bytes: digests compare under the same one only."""

_SIZE: Final = 12
# Of a value in a closure: beyond it, looking costs more than running the phase again could.
_MAX_VALUE: Final = 1 << 22
_MAX_DEPTH: Final = 40
_LONG: Final = 64
_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
# What Python itself puts into the body of a class, with lines and in an order of its own.
_BOOKKEEPING: Final = frozenset({"__firstlineno__", "__static_attributes__"})
_STABLE: Final = frozenset(sys.stdlib_module_names) | {"milo"}
_COMPLEX: Final = struct.Struct("<dd")


class Digest(NamedTuple):
    """What is known of a handler.

    Attributes:
        hex: The digest.
        certain: Whether everything that belongs to the handler could be told.
    """

    hex: str
    certain: bool


class Digester:
    """Makes digests, and keeps those of code and values that several handlers share."""

    def __init__(self) -> None:
        # With the objects themselves, so that no other comes to have their id.
        self._codes: dict[int, tuple[CodeType, bytes]] = {}
        self._values: dict[int, tuple[Any, bytes | None]] = {}

    def digest(self, handler: Callable[..., Any]) -> Digest:
        """The digest of a handler."""
        walk = _Walk(self)
        walk.value(handler, 0)
        return Digest(blake2b(b"".join(walk.parts), digest_size=_SIZE).hexdigest(), walk.certain)

    def code(self, code: CodeType) -> bytes:
        """The digest of code."""
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = code, _code_digest(code)
        return known[1]

    def container(self, value: Any) -> bytes | None:
        """A container by the codec, or the digest of that; None if it holds what the codec does not know.

        Raises:
            TooLargeError: It is not looked at for its size.
        """
        known = self._values.get(id(value))
        if known is None:
            try:
                data: bytes | None = encode(value, max_size=_MAX_VALUE)
            except TooLargeError:
                raise
            except CodecError:
                data = None
            if data is not None and len(data) > _LONG:
                data = b"digest" + blake2b(data, digest_size=_SIZE).digest()
            known = self._values[id(value)] = value, data
        return known[1]


class _Walk:
    """One way through everything that belongs to a handler: parts, each of which says where it ends."""

    __slots__ = ("_digester", "_seen", "certain", "parts")

    def __init__(self, digester: Digester) -> None:
        self.parts: list[bytes] = []
        self.certain = True
        self._digester = digester
        self._seen: dict[int, int] = {}

    def value(self, value: Any, depth: int) -> None:
        """A value that the codec knows, or something made of code; of all else only the type can be told."""
        kind = type(value)
        if kind in _ATOMS:
            self.parts.append(encode(value))
        elif id(value) in self._seen:
            self.parts.append(b"again" + self._seen[id(value)].to_bytes(4, "little"))
        elif kind is FunctionType:
            self._see(value)
            self._function(value, depth)
        else:
            try:
                data = self._digester.container(value)
            except TooLargeError:
                self._unknown(value)
                return
            if data is not None:
                self.parts.append(data)
            else:
                self._see(value)
                self._composed(value, depth)

    def _see(self, value: Any) -> None:
        self._seen[id(value)] = len(self._seen)

    def _composed(self, value: Any, depth: int) -> None:
        """What is made of code, or holds such."""
        if depth > _MAX_DEPTH:
            self._unknown(value)
        elif isinstance(value, functools.partial):
            self.parts.append(b"partial")
            self._all((value.func, len(value.args), *value.args, len(value.keywords)), depth)
            self._all([each for item in sorted(value.keywords.items()) for each in item], depth)
        elif isinstance(value, MethodType):
            self.parts.append(b"method")
            self.value(value.__func__, depth + 1)
            self._owner(value.__self__, depth + 1)
        elif isinstance(value, type):
            self._class(value, depth)
        elif isinstance(value, BuiltinFunctionType):
            self._builtin(value, depth)
        elif isinstance(value, ModuleType):
            self._named(b"module", value.__name__)
        elif isinstance(value, list | tuple | dict):
            self._named(b"items", type(value).__name__)
            self._all((len(value), *(value.items() if isinstance(value, dict) else value)), depth)
        elif isinstance(inspect.getattr_static(value, "__wrapped__", None), FunctionType):
            # As functools.lru_cache leaves it behind.
            self._named(b"wrapper", _name(type(value)))
            self.value(value.__wrapped__, depth + 1)
        elif callable(value):
            self._instance(value, depth)
        else:
            self._unknown(value)

    def _all(self, values: Iterable[Any], depth: int) -> None:
        for each in values:
            self.value(each, depth + 1)

    def _named(self, tag: bytes, name: str) -> None:
        self.parts += (tag, encode(name))

    def _unknown(self, value: Any) -> None:
        self.certain = False
        self._named(b"unknown", _name(type(value)))

    def _function(self, function: FunctionType, depth: int) -> None:
        self.parts += (b"function", self._digester.code(function.__code__))
        if depth > _MAX_DEPTH:
            self._unknown(function)
            return
        defaults, named = function.__defaults__, function.__kwdefaults__
        if defaults:
            self.parts.append(b"defaults")
            self._all((len(defaults), *defaults), depth)
        if named:
            self.parts.append(b"named")
            self._all((len(named), *[each for item in sorted(named.items()) for each in item]), depth)
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                self.parts.append(b"empty")
            else:
                self.value(content, depth + 1)

    def _owner(self, owner: Any, depth: int) -> None:
        """Whose method it is."""
        if isinstance(owner, type) or id(owner) in self._seen:
            self.value(owner, depth)
        else:
            self._see(owner)
            self._instance(owner, depth)

    def _builtin(self, function: BuiltinFunctionType, depth: int) -> None:
        self._named(b"builtin", f"{function.__module__}.{function.__qualname__}")
        owner = function.__self__
        if owner is not None and not isinstance(owner, ModuleType):
            self.value(owner, depth + 1)
        elif not _is_stable(function.__module__):
            self.certain = False

    def _class(self, cls: type, depth: int) -> None:
        """The functions and plain values of a class and its bases; those that come with Python by name only."""
        for base in cls.__mro__[:-1]:
            if _is_stable(base.__module__):
                self._named(b"class", _name(base))
                continue
            self.parts.append(b"class")
            for name, member in sorted(vars(base).items()):
                self._member(name, member, depth)

    def _member(self, name: str, member: Any, depth: int) -> None:
        if isinstance(member, staticmethod | classmethod):
            member = member.__func__
        elif isinstance(member, functools.cached_property):
            member = member.func
        elif isinstance(member, property):
            member = (member.fget, member.fset, member.fdel)
        if isinstance(member, FunctionType):
            wanted = not name.startswith("__annotate")
        else:
            wanted = not (name.startswith(("__", "_abc_")) or inspect.ismemberdescriptor(member))
        if wanted:
            self._named(b"member", name)
            self.value(member, depth + 1)

    def _instance(self, value: Any, depth: int) -> None:
        """An object that is called, or whose method is: its class, and what it holds."""
        self.parts.append(b"instance")
        self._class(type(value), depth)
        held = dict(getattr(value, "__dict__", {}))
        for base in type(value).__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                    held[name] = getattr(value, name)
        for name in sorted(held):
            self._named(b"attribute", name)
            self.value(held[name], depth + 1)
        if not held and not _is_stable(type(value).__module__) and not _has_code(type(value)):
            self.certain = False


def _has_code(cls: type) -> bool:
    """Whether calling an instance runs Python code."""
    return any(isinstance(vars(base).get("__call__"), FunctionType) for base in cls.__mro__)


def _is_stable(module: str | None) -> bool:
    """Whether a module comes with Python or with milo: a newer one of these is no change of the handler."""
    return module is not None and module.partition(".")[0] in _STABLE


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _code_digest(code: CodeType) -> bytes:
    """What the code does: not where it stands, nor on which lines."""
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_varnames, code.co_freevars, code.co_cellvars)
    if _BOOKKEEPING.isdisjoint(code.co_names):
        body = (code.co_code, code.co_names, tuple(map(_constant, code.co_consts)))
    else:
        body = _instructions(code)
    return blake2b(encode((shape, names, body, code.co_exceptiontable)), digest_size=_SIZE).digest()


def _instructions(code: CodeType) -> Any:
    """The body of a class without what Python keeps in it for itself."""
    found = list(dis.get_instructions(code))
    dropped = set()
    for index, each in enumerate(found):
        if each.opname.startswith("STORE") and each.argval in _BOOKKEEPING:
            dropped |= {index - 1, index}
    body = []
    for index, each in enumerate(found):
        if index in dropped or each.opname == "EXTENDED_ARG":
            continue
        if each.opcode in dis.hasconst:
            body.append((each.opname, _constant(each.argval)))
        elif each.opcode in dis.hasname:
            body.append((each.opname, str(each.argval)))
        else:
            body.append((each.opname, each.arg))
    return tuple(body)


def _constant(value: Any) -> Any:
    """A constant of code as a value for the codec; sets in order, nested code as its digest."""
    if isinstance(value, CodeType):
        return ("code", _code_digest(value))
    if isinstance(value, tuple):
        return ("tuple", tuple(map(_constant, value)))
    if isinstance(value, frozenset):
        return ("set", tuple(sorted(encode(_constant(each)) for each in value)))
    if isinstance(value, complex):
        return ("complex", _COMPLEX.pack(value.real, value.imag))
    if value is Ellipsis:
        return ("...",)
    if isinstance(value, slice):
        return ("slice", _constant((value.start, value.stop, value.step)))
    return value
