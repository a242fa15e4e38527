"""A stream of a worker on its way to a phase."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from milo.execution.framing import Frames
from milo.execution.outlet import Outlet

MARK = b"\0mark-of-16-byte"


def framed(line: str) -> bytes:
    read, write = os.pipe()
    Frames(MARK, write).write(line)
    os.close(write)
    with open(read, "rb") as file:
        return file.read()


def attempt(lines: list[tuple[str, str]], *, capture: bool) -> Any:
    return SimpleNamespace(
        capture=capture, emit=lambda job, stream, line: (print("drawn"), lines.append((stream, line)))
    )


def test_captured_output_becomes_whole_lines_and_the_rest_at_the_end() -> None:
    lines: list[tuple[str, str]] = []
    outlet = Outlet("stderr", MARK)
    outlet.open(attempt(lines, capture=True), job=None)  # type: ignore[arg-type]
    for data in (b"a", b"b\nc", framed("told"), "ä\n".encode()[:1], "ä\n".encode()[1:], b"end"):
        outlet.take(data)
    assert [line for _, line in lines] == ["ab", "told", "cä"]
    outlet.close()
    assert lines[-1] == ("stderr", "end")
    assert outlet.last == "end"


def test_output_that_is_not_captured_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[tuple[str, str]] = []
    outlet = Outlet("stderr", MARK)
    outlet.open(attempt(lines, capture=False), job=None)  # type: ignore[arg-type]
    outlet.take(b"a\nb" + framed("told") + b"c")
    outlet.close()
    assert lines == [("stderr", "told")]
    assert capsys.readouterr().err == "a\nbc"


def test_what_nobody_has_printed_for_is_nobodys() -> None:
    outlet = Outlet("stdout", MARK)
    outlet.take(framed("late"))
    outlet.close()
    assert outlet.last == ""
