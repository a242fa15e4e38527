"""Stray output: nothing of it reaches the screen meanwhile, all of it is there afterwards, and harmless."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
PROGRAM = """
import os, subprocess, sys
from milo.terminal.stray import keeping_stray_output
terminal = os.dup(1)
print("before")
with keeping_stray_output():
    {inside}
    os.write(terminal, b"[view]")
print("after")
"""


def written(inside: str, *, stderr: int | None = None) -> str:
    """What a program writes to its terminal that does `inside` while its output is kept."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(inside=inside)],
        stdin=theirs,
        stdout=theirs,
        stderr=stderr if stderr is not None else theirs,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    data = b""
    try:
        while chunk := os.read(ours, 65536):
            data += chunk
    except OSError:
        # The program has ended, and its end of the terminal with it.
        os.close(ours)
    text = data.decode().replace("\r\n", "\n")
    assert program.wait(60) == 0, text
    return text


@pytest.mark.parametrize(
    "inside",
    [
        "print('kept')",
        "print('kept', file=sys.stderr)",
        "os.write(1, b'kept\\n')",
        "subprocess.run(['echo', 'kept'])",
        "subprocess.run('echo kept >&2', shell=True)",
        "import logging; logging.warning('kept')",
    ],
)
def test_whatever_prints_is_kept_until_the_end(inside: str) -> None:
    assert written(inside).replace("WARNING:root:", "") == "before\n[view]kept\nafter\n"


def test_what_is_kept_is_made_harmless() -> None:
    text = written(r"os.write(1, b'a\x1b[2Jb\x1b]52;c;aGk=\x07c\x9b\n\x1b[31mred')")
    assert text == "before\n[view]abc\ufffd\n\x1b[31mred\x1b[0m\nafter\n"


def test_only_the_last_lines_of_very_much_are_shown() -> None:
    lines = written("[print(number) for number in range(200_000)]").split("\n")
    assert lines[1] == "[view]… what was printed before is left out"
    assert lines[2:-2] == [str(number) for number in range(199_500, 200_000)]


def test_nobody_takes_keys_from_the_view() -> None:
    assert written("print(repr(sys.stdin.read()))") == "before\n[view]''\nafter\n"


def test_output_that_leads_elsewhere_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        text = written("print('to a file', file=sys.stderr)", stderr=errors.fileno())
    assert text == "before\n[view]after\n"
    assert (tmp_path / "errors").read_text() == "to a file\n"
