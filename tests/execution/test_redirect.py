"""File descriptors 1 and 2, redirected into lines."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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


def printed(script: str) -> str:
    """What a program prints that has its own descriptors 1 and 2."""
    program = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=True).stdout


def test_everything_written_becomes_lines_in_order_and_the_descriptors_come_back() -> None:
    assert printed(SCRIPT).splitlines() == [
        "a b c e df g h",
        "w",
        "('stdout', 'again')",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_text_becomes_lines_whatever_the_program_prints_in(encoding: str, tmp_path: Path) -> None:
    """Into a file as well, whose stream knows its place."""
    script = """
        import sys
        from milo.execution.redirect import redirected

        lines = []
        print("before")
        encoding = sys.stdout.encoding
        with redirected(lambda stream, line: lines.append(line)) as line:
            print("ä\\udc80")
        print(ascii(lines), sys.stdout.encoding == encoding)
    """
    with open(tmp_path / "printed", "w+") as printed:
        environ = {**os.environ, "PYTHONIOENCODING": encoding}
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            stdout=printed,
            env=environ,
            timeout=60,
            check=True,
        )
        printed.seek(0)
        assert printed.read() == "before\n['\\xe4\\\\udc80'] True\n"


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
    assert printed(script) == repr(["", "\0end", "\0", "end", "still there"]) + "\n"


def test_no_line_is_lost_however_long_they_take() -> None:
    script = """
        import threading, types
        from milo.execution import redirect

        waits = threading.Event()
        lines = []

        class Ended(threading.Event):
            def wait(self, timeout=None):
                if timeout is not None:
                    return False  # any limit is over at once
                waits.set()
                return super().wait()

        def slow(stream, line):
            waits.wait(20)
            lines.append(line)

        redirect.threading = types.SimpleNamespace(Event=Ended, Thread=threading.Thread)
        with redirect.redirected(slow):
            print("one")
            print("two")
        print(lines)
    """
    assert printed(script) == repr(["one", "two"]) + "\n"


def test_a_handler_that_closes_every_descriptor_holds_nobody_up() -> None:
    script = """
        import os
        from milo.execution.redirect import redirected

        try:
            with redirected(lambda stream, line: None):
                os.closerange(0, 1024)
        except OSError:
            os._exit(7)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False)
    assert done.returncode == 7
