"""What a command writes becomes lines of its phase, or of this process's own streams."""

from __future__ import annotations

import contextvars
import io
import sys
from typing import cast

import pytest

from milo.execution import capture_output
from milo.execution.commands.output import CommandOutput
from milo.execution.current import CurrentPhase
from milo.execution.lines import LineSink, current_sink


class FakePhase:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def emit(self, stream: str, line: str) -> None:
        print("drawn because of a line")
        self.lines.append((stream, line))


def output(phase: FakePhase | None = None, *, keep: bool = True) -> CommandOutput:
    return CommandOutput(cast(CurrentPhase, phase), keep=keep)


def test_lines_are_given_out_as_they_are_completed() -> None:
    """Characters that are cut by the pipe too; what is no UTF-8 is shown."""
    phase = FakePhase()
    lines = output(phase)
    lines.take("stdout", b"10%\r\xc3")
    lines.take("stderr", b"warn\xff")
    assert phase.lines == [("stdout", "10%")]
    lines.take("stdout", b"\xbc\nrest")
    lines.take("stderr", b"ing\n\xe2")
    assert phase.lines[1:] == [("stdout", "ü"), ("stderr", "warn\ufffding")]
    lines.take("stdout", b"")
    lines.take("stderr", b"")
    assert phase.lines[3:] == [("stdout", "rest"), ("stderr", "\ufffd")]
    assert lines.text("stdout") == "10%\rü\nrest"
    assert lines.text("stderr") == "warn\ufffding\n\ufffd"


def test_only_the_last_lines_are_kept_where_nobody_wants_all() -> None:
    """Of each stream, and of both as they came."""
    lines = output(FakePhase(), keep=False)
    for number in range(30):
        lines.take("stdout" if number % 2 else "stderr", f"line {number}\n".encode())
    assert list(lines.last) == [f"line {number}" for number in range(20, 30)]
    assert lines.text("stdout").split("\n") == [f"line {number}" for number in range(11, 30, 2)]


@pytest.mark.parametrize("keep", [True, False])
def test_what_others_write_after_the_end_is_shown_and_not_kept(keep: bool) -> None:
    """The command's unfinished line is given out at its end, not at the others'."""
    phase = FakePhase()
    lines = output(phase, keep=keep)
    lines.take("stdout", b"mine")
    lines.settle()
    assert phase.lines == [("stdout", "mine")]
    lines.settle()
    lines.take("stdout", b", not mine\n")
    lines.take("stdout", b"")
    assert phase.lines == [("stdout", "mine"), ("stdout", ", not mine")]
    assert lines.text("stdout") == "mine"
    assert list(lines.last) == ["mine"]


def test_who_prints_because_of_a_line_is_not_captured() -> None:
    """It would feed itself for ever."""
    captured: list[str] = []
    phase = FakePhase()

    def work() -> None:
        current_sink.set(LineSink(lambda stream, line: captured.append(line)))
        output(phase).take("stdout", b"one\n")
        print("printed by the handler")

    with capture_output():
        contextvars.copy_context().run(work)
    assert phase.lines == [("stdout", "one")]
    assert captured == ["printed by the handler"]


def test_outside_a_phase_lines_go_to_the_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Each to its own."""
    lines = output()
    lines.take("stdout", b"a\nb")
    assert capsys.readouterr() == ("a\n", "")
    lines.take("stderr", b"c\n")
    lines.settle()
    assert capsys.readouterr() == ("b\n", "c\n")


def test_a_stream_that_cannot_say_it_or_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASCII stream shows the character's number."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    lines = output()
    lines.take("stdout", "ü\n".encode())
    lines.take("stderr", b"lost\n")
    assert raw.getvalue() == b"\\xfc\n"
    assert lines.text("stderr") == "lost\n"
