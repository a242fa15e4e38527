"""The console of a process: a terminal through descriptors of its own, and its settings put back."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from milo.terminal import Key, SpecialKey
from milo.terminal.console import SystemConsole, is_terminal
from milo.terminal.screen import ENTER, LEAVE


class Line:
    """A pseudo-terminal: the end that a console takes, and the end at which a person sits."""

    def __init__(self) -> None:
        self._person, theirs = pty.openpty()
        self.stream: TextIO = open(theirs, "w", encoding="utf-8")  # noqa: SIM115 - closed with the line
        self.console = SystemConsole(None, self.stream)

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.stream.fileno())

    def press(self, text: str) -> list[Key]:
        os.write(self._person, text.encode())
        return self.console.read()

    def seen(self) -> str:
        return os.read(self._person, 65536).decode()

    def close(self) -> None:
        self.console.close()
        self.stream.close()
        os.close(self._person)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def test_entering_takes_the_keyboard_and_leaving_gives_it_back(line: Line) -> None:
    before = line.settings()
    line.console.enter()
    assert line.seen() == ENTER
    assert line.settings() != before
    line.console.leave()
    assert line.seen() == LEAVE
    assert line.settings() == before
    line.console.leave()
    line.console.write("once")
    assert line.seen() == "once"


def test_entering_again_keeps_the_settings_of_before(line: Line) -> None:
    """A shell has put its own in place while the process was stopped."""
    before = line.settings()
    line.console.enter()
    taken = line.settings()
    termios.tcsetattr(line.stream.fileno(), termios.TCSANOW, before)
    line.console.enter()
    assert line.settings() == taken
    assert "\x1b[?1049h" not in line.seen().removeprefix(ENTER)
    line.console.leave()
    assert line.settings() == before


def test_keys_are_read_as_they_are_pressed(line: Line) -> None:
    line.console.enter()
    assert line.press("g漢") == [Key("g"), Key("漢")]
    assert line.press("\x1b[A\r") == [Key(name=SpecialKey.UP), Key(name=SpecialKey.ENTER)]
    assert line.press("\x1bx") == [Key("x", alt=True)]


def test_an_escape_alone_is_told_when_nothing_follows(line: Line) -> None:
    line.console.enter()
    assert line.press("\x1b") == []
    assert line.console.flush() == [Key(name=SpecialKey.ESCAPE)]
    assert line.console.flush() == []


def test_what_comes_after_an_escape_in_another_reading_is_no_alt(line: Line) -> None:
    line.console.enter()
    assert line.press("\x1b") == []
    assert line.press("q") == [Key(name=SpecialKey.ESCAPE), Key("q")]
    assert line.press("\x1b") == []
    assert line.press("[A") == [Key(name=SpecialKey.UP)], "a sequence may come in pieces"


def test_the_size_is_that_of_the_terminal(line: Line) -> None:
    termios.tcsetwinsize(line.stream.fileno(), (33, 101))
    assert line.console.size() == (101, 33)
    assert not line.console.closed


def test_whether_a_view_can_be_drawn(line: Line) -> None:
    assert is_terminal(line.stream, {"TERM": "xterm"})
    assert not is_terminal(line.stream, {"TERM": "dumb"})
    assert not is_terminal(io.StringIO(), {"TERM": "xterm"})
    assert not is_terminal(None, {})
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed, {})
