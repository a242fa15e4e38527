"""File descriptors 1 and 2, redirected into lines."""

from __future__ import annotations

import subprocess
import sys
import textwrap

SCRIPT = """
    import os, subprocess, sys
    from milo.execution.redirect import redirected

    lines = []
    with redirected(lambda stream, line: lines.append((stream, line))) as line:
        print("a")
        os.write(1, b"b\\n")
        line("stdout", "c")
        print("d", end="")
        line("stdout", "e")
        print("f")
        os.write(2, b"w")
        subprocess.run(["echo", "g"])
        # One that stays behind and has the pipe open.
        left = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        print("h", end="")
    left.communicate(b"x" * 200_000)
    for stream in ("stdout", "stderr"):
        print(*(line for each, line in lines if each == stream))
    with redirected(lambda stream, line: lines.append((stream, line))):
        print("again")
    print(lines[-1])
"""


def test_everything_written_becomes_lines_in_order_and_the_descriptors_come_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "a b c e df g h",
        "w",
        "('stdout', 'again')",
    ]


def test_no_line_of_a_handlers_own_ends_the_capture() -> None:
    script = """
        from milo.execution.redirect import redirected

        lines = []
        with redirected(lambda stream, line: lines.append(line)) as line:
            for text in ("", "\\0end", "\\0", "end"):
                line("stdout", text)
            print("still there")
        print(lines)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == repr(["", "\0end", "\0", "end", "still there"]) + "\n"
