"""What a command may be: every wrong argument is refused with what was received."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from milo.errors import StateError
from milo.execution.commands.checks import (
    checked_command,
    checked_cwd,
    checked_env,
    refuse_event_loop,
    refuse_system,
)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("make all", "make all"),
        (["make", "all"], ("make", "all")),
        (("cat", Path("a b")), ("cat", "a b")),
        (["true", ""], ("true", "")),
    ],
)
def test_text_stays_text_and_a_sequence_becomes_a_tuple(command: Any, expected: object) -> None:
    """Paths are texts too."""
    assert checked_command(command) == expected


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "must not be empty, got ''"),
        (" \n", "must not be empty"),
        ([], r"must not be empty, got \[\]"),
        (["", "x"], "must name a program"),
        ("a\0b", r"NUL character, got 'a\\x00b'"),
        (["a", "b\0"], "Argument 1 of a command must not contain a NUL"),
        (["a", 1], "Argument 1 of a command must be a text or a path, got 1"),
        (["a", b"b"], "Argument 1 of a command must be a text or a path, got b'b'"),
        (b"make", "text or a sequence of texts, got b'make'"),
        (None, "got None"),
        ({"make"}, "got {'make'}"),
        (iter(["make"]), "text or a sequence"),
    ],
)
def test_what_is_no_command_is_refused(command: Any, message: str) -> None:
    """With what was received."""
    with pytest.raises(StateError, match=message):
        checked_command(command)


def test_a_directory_is_text_and_need_not_be_there_yet() -> None:
    """An earlier phase may make it."""
    assert checked_cwd(None) is None
    assert checked_cwd("not/there/yet") == "not/there/yet"
    assert checked_cwd(Path("a")) == "a"
    for wrong in ("", "a\0b", 1, b"x"):
        with pytest.raises(StateError, match="cwd must"):
            checked_cwd(wrong)  # type: ignore[arg-type]


def test_changes_to_the_environment_are_sorted_pairs() -> None:
    """So that equal ones are equal."""
    assert checked_env(None) == ()
    assert checked_env({}) == ()
    assert checked_env({"B": "1", "A": None, "C": Path("x")}) == (("A", None), ("B", "1"), ("C", "x"))


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ([("A", "1")], "env must be a mapping"),
        ({"": "1"}, "A name in env"),
        ({"A=B": "1"}, "A name in env must be a text without '=', got 'A=B'"),
        ({1: "1"}, "A name in env"),
        ({"A\0": "1"}, "A name in env must not contain a NUL"),
        ({"A": 17_171}, "The value of 'A' in env must be a text or None, got int"),
        ({"A": "17171\0"}, "The value of 'A' in env must not contain a NUL character."),
    ],
)
def test_what_is_no_environment_is_refused(env: Any, message: str) -> None:
    """A value may be a secret and is not shown."""
    with pytest.raises(StateError, match=message) as raised:
        checked_env(env)
    assert "17171" not in str(raised.value)


def test_a_thread_with_a_running_event_loop_is_refused() -> None:
    """With the way that works there."""

    async def main() -> None:
        with pytest.raises(StateError, match=r"await asyncio.to_thread\(milo.sh"):
            refuse_event_loop()
        await asyncio.to_thread(refuse_event_loop)

    refuse_event_loop()
    asyncio.run(main())


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what can be done there."""
    refuse_system()
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(StateError, match=r"POSIX.*subprocess.run"):
        refuse_system()
