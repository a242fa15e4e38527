"""A stream of a worker on its way to a phase."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from milo.execution.framing import Frames
from milo.execution.placement import WorkerError
from milo.execution.processes.outlet import Outlet

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


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ValueError("closed file")])
def test_output_that_cannot_be_passed_through_is_an_error_of_its_own(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of the pipes to the worker, which would look like its death."""

    def write(text: str) -> None:
        raise error

    monkeypatch.setattr("sys.stdout", SimpleNamespace(write=write))
    outlet = Outlet("stdout", MARK)
    outlet.open(attempt([], capture=False), job=None)  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=f"cannot be passed on to stdout: .*{error.args[-1]}"):
        outlet.take(b"a\n")


def test_what_nobody_has_printed_for_is_nobodys() -> None:
    outlet = Outlet("stdout", MARK)
    outlet.take(framed("late"))
    outlet.close()
    assert outlet.last == ""
