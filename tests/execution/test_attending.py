"""An attempt in a worker that is somebody else's."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

from milo import current_phase
from milo.execution.attending import attend, cancel
from milo.execution.remote import Errand


class Channel:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.heeded = threading.Event()

    def line(self, token: str, stream: str, line: str) -> None:
        self.lines.append((token, stream, line))

    def heeds(self, token: str) -> None:
        self.heeded.set()


def errand(handler: object, *, capture: bool = True) -> Errand:
    return Errand("a", 1, "run", capture, 5.0, handler, (), {})  # type: ignore[arg-type]


def test_what_is_printed_is_told_even_where_others_print_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    channel = Channel()

    def handler() -> int:
        print("mine")
        current_phase().log("logged")
        print("end", end="")
        return 7

    assert attend("t", errand(handler), channel, alone=False) == (7, None)
    assert [line for _, _, line in channel.lines] == ["mine", "logged", "end"]
    print("not mine")
    assert capsys.readouterr().out == "not mine\n"


def test_two_that_believe_to_be_alone_do_not_get_in_each_others_way() -> None:
    """The descriptors are what they were before, and each line has its attempt."""
    script = """
        import os, threading
        from milo.execution.attending import attend
        from milo.execution.remote import Errand

        lines = []

        class Channel:
            def line(self, token, stream, line):
                lines.append((token, line))

        began, joined, ended = threading.Event(), threading.Event(), threading.Event()

        def first():
            print("of the first")
            began.set()
            joined.wait(20)

        def second():
            joined.set()
            ended.wait(20)
            print("of the second")

        def run(token, handler):
            attend(token, Errand(token, 1, "run", True, 5.0, handler, (), {}), Channel(), alone=True)

        def run_first():
            run("first", first)
            ended.set()

        before = os.fstat(1)
        thread = threading.Thread(target=run_first)
        thread.start()
        began.wait(20)
        run("second", second)
        thread.join()
        assert os.path.samestat(os.fstat(1), before)
        print(sorted(lines))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[('first', 'of the first'), ('second', 'of the second')]\n"


def test_output_that_is_not_captured_stays_there(capsys: pytest.CaptureFixture[str]) -> None:
    channel = Channel()
    attend("t", errand(lambda: print("there"), capture=False), channel, alone=True)
    assert channel.lines == []
    assert capsys.readouterr().out == "there\n"


def test_one_that_was_given_up_before_it_could_be_found_does_not_begin() -> None:
    value, error = attend("t", errand(pytest.fail), Channel(), alone=False, given_up=lambda: True)
    assert value is None
    assert str(error) == "Phase 'a' was cancelled before it had begun."


def test_it_hears_that_it_is_cancelled() -> None:
    channel = Channel()

    def handler() -> bool:
        ended = threading.Event()
        current_phase().on_cancel(ended.set)
        return ended.wait(20)

    def cancel_when_heeded() -> None:
        channel.heeded.wait(20)
        cancel("other")
        cancel("t")

    thread = threading.Thread(target=cancel_when_heeded)
    thread.start()
    assert attend("t", errand(handler), channel, alone=False) == (True, None)
    thread.join()
