"""The digest of a handler changes with what the handler does, and with nothing else."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milo.journal.code_digest import Digest, Digester

SOURCE = '''
import functools

def plain(context, n=1, *, k=2):
    """Words."""
    names = {"a", "b", "c"}
    return [x for x in names if x in {"p", "q", "r", "s"}], (lambda y: y + 1)(n)

def outer(value):
    def inner():
        class Local:
            size = 300
            def method(self):
                return value
        return Local().method(), ..., 2j, -0.0, value[1:2]
    return inner

class Machine:
    limit = 3
    def __init__(self, size):
        self.size = size
    def __call__(self):
        return self.work()
    def work(self):
        return self.size
    @property
    def half(self):
        return self.size / 2
    @staticmethod
    def fixed():
        return 1
    @classmethod
    def made(cls):
        return cls(1)

@functools.lru_cache
def cached():
    return 1

@functools.wraps(plain)
def wrapped(*args):
    return plain(*args)

async def later():
    return 1

HANDLERS = {
    "plain": plain,
    "closure": outer({"x", "y", "z"}),
    "partial": functools.partial(plain, 1, k=3),
    "instance": Machine(2),
    "bound": Machine(2).work,
    "class method": Machine.made,
    "class": Machine,
    "cached": cached,
    "wrapped": wrapped,
    "later": later,
}
'''


def load(source: str, file: str = "<a>") -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "loaded"}
    exec(compile(source, file, "exec"), space)
    return space


def digest(handler: Callable[..., Any]) -> Digest:
    return Digester().digest(handler)


def test_place_and_lines_do_not_count() -> None:
    """Moved to another file and down by 300 lines, every handler has the same digest."""
    moved = "# Moved.\n" * 300 + SOURCE.replace("def outer", "\n\n# A comment.\ndef outer")
    first, second = load(SOURCE)["HANDLERS"], load(moved, "<elsewhere>")["HANDLERS"]
    for name, handler in first.items():
        assert digest(handler) == digest(second[name]), name


def test_same_under_every_hash_seed(tmp_path: Path) -> None:
    """Other processes, other seeds, optimised bytecode from a cache or fresh: the same digests."""
    (tmp_path / "handlers.py").write_text(SOURCE, "utf-8")
    program = textwrap.dedent("""
        from handlers import HANDLERS
        from milo.journal.code_digest import Digester
        print({name: Digester().digest(handler) for name, handler in HANDLERS.items()})
    """)
    found = set()
    for seed in ("0", "1", "2", "77"):
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("handler", "old", "new"),
    [
        ("plain", "n=1", "n=2"),
        ("plain", "k=2", "k=True"),
        ("plain", '"p", "q"', '"p", "Q"'),
        ("plain", "y + 1", "y - 1"),
        ("closure", '"y", "z"', '"y", "w"'),
        ("closure", "size = 300", "size = 301"),
        ("closure", "return value\n", "return value + 1\n"),
        ("closure", "-0.0", "0.0"),
        ("closure", "2j", "3j"),
        ("closure", "[1:2]", "[1:3]"),
        ("partial", "plain, 1", "plain, 2"),
        ("partial", "k=3)", "k=4)"),
        ("partial", "y + 1", "y - 1"),
        ("instance", '"instance": Machine(2)', '"instance": Machine(3)'),
        ("instance", "return self.size\n", "return self.size + 1\n"),
        ("instance", "limit = 3", "limit = 4"),
        ("instance", "self.size / 2", "self.size / 3"),
        ("instance", "        return 1\n    @class", "        return 2\n    @class"),
        ("bound", "Machine(2).work", "Machine(3).work"),
        ("bound", "return self.size\n", "return self.size + 1\n"),
        ("class method", "cls(1)", "cls(2)"),
        ("class", "self.size = size", "self.size = -size"),
        ("cached", "cached():\n    return 1", "cached():\n    return 2"),
        ("wrapped", "plain(*args)", "plain(args)"),
        ("later", "async def later():\n    return 1", "async def later():\n    return 2"),
    ],
)
def test_changes_with_what_it_does(handler: str, old: str, new: str) -> None:
    """A change of code, defaults, closure, arguments or attributes gives another digest."""
    assert old in SOURCE
    before = digest(load(SOURCE)["HANDLERS"][handler])
    assert digest(load(SOURCE.replace(old, new))["HANDLERS"][handler]).hex != before.hex


def test_changes_that_do_not_count() -> None:
    """Comments and the name of a module say nothing about what a handler does."""
    changed = SOURCE.replace("    names =", "    # Which.\n    names =")
    assert digest(load(SOURCE)["plain"]) == digest(load(changed)["plain"])


def test_what_cannot_be_told() -> None:
    """A value that the codec does not know leaves the digest as it is, and makes it uncertain."""

    def handler_with(value: Any) -> Callable[[], Any]:
        return lambda: value

    one, other = digest(handler_with(threading.Lock())), digest(handler_with(threading.Lock()))
    assert one == other
    assert not one.certain
    assert digest(handler_with([1])).certain
    assert digest(handler_with([print, threading.Lock()])).certain is False


@pytest.mark.parametrize("handler", [print, "abc".upper, os.getcwd, dict, functools.partial(print, "x")])
def test_what_comes_with_python(handler: Callable[..., Any]) -> None:
    """Handlers that come with Python are known by name, and certain."""
    assert digest(handler).certain


def test_strings_that_a_builtin_is_bound_to() -> None:
    """A method of a builtin value changes with the value."""
    assert digest("abc".upper).hex != digest("abd".upper).hex


def test_function_that_refers_to_itself() -> None:
    """A handler that refers to itself, or to another that refers back, has a digest."""

    def make(last: int) -> Callable[..., Any]:
        def even(n: int) -> Any:
            return n == last or odd(n - 1)

        def odd(n: int) -> Any:
            return n != last and even(n - 1)

        return even

    assert digest(make(0)) == digest(make(0))
    assert digest(make(0)).hex != digest(make(1)).hex


def test_instance_that_refers_to_itself() -> None:
    """An object that holds a method of its own has a digest."""
    machine = load(SOURCE)["Machine"](1)
    machine.step = machine.work
    assert digest(machine.work).hex


def test_empty_cell() -> None:
    """A closure over a name that has no value yet has a digest."""

    def handler() -> Any:
        return later

    found = digest(handler)
    later = 1
    assert digest(handler).hex != found.hex


def test_large_values_are_not_looked_at() -> None:
    """A huge value in a closure costs little and makes the digest uncertain."""
    huge = list(range(2_000_000))
    assert not digest(lambda: huge).certain


def test_shared_value_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many handlers over one large value cost one look at it."""
    from milo.journal import code_digest

    looks = []
    encode = code_digest.encode
    monkeypatch.setattr(
        code_digest, "encode", lambda value, **more: (looks.append(value), encode(value, **more))[1]
    )
    shared = {str(number): number for number in range(1000)}
    digester = Digester()
    found = {digester.digest(lambda: shared) for _ in range(50)}
    assert len(found) == 1
    assert sum(each is shared for each in looks) == 1


def test_slots() -> None:
    """What an object holds in slots counts like what it holds in its dictionary."""

    class Slotted:
        __slots__ = ("command",)

        def __init__(self, command: str) -> None:
            self.command = command

        def __call__(self) -> str:
            return self.command

    assert digest(Slotted("a")) == digest(Slotted("a"))
    assert digest(Slotted("a")).hex != digest(Slotted("b")).hex
