"""Capture: what a call prints, whole and in order, whatever else prints meanwhile."""

from __future__ import annotations

import contextvars
import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.execution import Capture, LineSink, capture_output, current_sink


def captured(work: Callable[[], object]) -> list[tuple[str, str]]:
    """The lines that `work` prints, in a context of its own as a Call has it."""
    lines: list[tuple[str, str]] = []
    sink = LineSink(lambda stream, line: lines.append((stream, line)))

    def run() -> None:
        current_sink.set(sink)
        try:
            work()
        finally:
            sink.flush()

    with capture_output():
        contextvars.copy_context().run(run)
    return lines


def test_lines_are_whole_and_streams_told_apart() -> None:
    """What has no newline at the end comes at the end."""

    def work() -> None:
        print("one")
        print("two", end="")
        print(" halves")
        print("to stderr", file=sys.stderr)
        print("a\nb\r\nlast", end="")

    assert captured(work) == [
        ("stdout", "one"),
        ("stdout", "two halves"),
        ("stderr", "to stderr"),
        ("stdout", "a"),
        ("stdout", "b"),
        ("stdout", "last"),
    ]


def test_nothing_is_lost_when_the_handler_raises() -> None:
    """Neither the finished lines nor the unfinished one."""
    lines: list[tuple[str, str]] = []
    sink = LineSink(lambda stream, line: lines.append((stream, line)))

    def work() -> None:
        current_sink.set(sink)
        try:
            print("before")
            print("unfinished", end="")
            raise ValueError("on purpose")
        finally:
            sink.flush()

    with capture_output(), pytest.raises(ValueError, match="on purpose"):
        contextvars.copy_context().run(work)
    assert lines == [("stdout", "before"), ("stdout", "unfinished")]


def test_outside_a_call_text_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    """To the stream that was there before, which is put back afterwards."""
    before = sys.stdout
    with capture_output():
        assert sys.stdout is not before
        print("through")
        with capture_output():
            print("nested")
        sys.stderr.write("err\n")
    assert sys.stdout is before
    assert capsys.readouterr() == ("through\nnested\n", "err\n")


def test_threads_that_print_at_the_same_time_do_not_mix_their_lines() -> None:
    """Each thread's unfinished line is its own."""

    def work() -> None:
        barrier = threading.Barrier(4)

        def chatter(name: int) -> None:
            barrier.wait(10)
            for number in range(200):
                sys.stdout.write(f"{name}:")
                sys.stdout.write(f"{number}")
                sys.stdout.write("\n")

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(chatter, name)) for name in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = [line for _, line in captured(work)]
    assert len(lines) == 800
    for name in range(4):
        assert [line for line in lines if line.startswith(f"{name}:")] == [f"{name}:{i}" for i in range(200)]


def test_calls_that_print_at_the_same_time_are_told_apart() -> None:
    """Each has its own sink."""
    results: dict[int, list[tuple[str, str]]] = {}
    barrier = threading.Barrier(3)

    def one(name: int) -> None:
        def work() -> None:
            barrier.wait(10)
            for number in range(100):
                print(name, number)

        results[name] = captured(work)

    threads = [threading.Thread(target=one, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in range(3):
        assert results[name] == [("stdout", f"{name} {number}") for number in range(100)]


def test_a_line_of_a_megabyte_survives_however_it_is_written() -> None:
    """At once or in a million pieces."""

    def work() -> None:
        print("x" * 1_000_000)
        for _ in range(200_000):
            sys.stdout.write("yyyyy")
        print()

    assert captured(work) == [("stdout", "x" * 1_000_000), ("stdout", "y" * 1_000_000)]


def test_invalid_surrogates_and_bytes_are_no_error() -> None:
    """Text as it is, bytes decoded with what is invalid shown."""

    def work() -> None:
        print("a\udcffb")
        sys.stdout.buffer.write("ü".encode()[:1])
        sys.stdout.buffer.write("ü".encode()[1:] + b"\xff\n")
        sys.stdout.buffer.flush()

    assert captured(work) == [("stdout", "a\udcffb"), ("stdout", "ü\ufffd")]


def test_logging_that_was_set_up_before_is_captured_and_put_back() -> None:
    """A handler holds the stream itself, so it is moved over and back."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)
    logger.propagate = False
    old, sys.stderr = sys.stderr, stream
    try:
        lines = captured(lambda: logger.warning("in the call"))
        logger.warning("after it")
    finally:
        sys.stderr = old
        logger.removeHandler(handler)
        logger.propagate = True
    assert lines == [("stderr", "in the call")]
    assert stream.getvalue() == "after it\n"


def test_the_stand_in_behaves_like_a_stream() -> None:
    """Libraries ask for these things."""

    def work() -> None:
        out: Any = sys.stdout
        assert not out.isatty()
        assert out.writable()
        assert out.encoding
        assert out.write("five\n") == 5
        out.writelines(["a\n", "b\n"])
        out.flush()
        with pytest.raises(TypeError, match="must be str"):
            out.write(b"bytes")
        out.close()
        print("still open")

    assert [line for _, line in captured(work)] == ["five", "a", "b", "still open"]


@given(st.lists(st.text(alphabet="ab\n", max_size=6), max_size=12))
def test_chunks_of_any_size_make_the_same_lines(chunks: list[str]) -> None:
    """No character is lost or reordered."""
    lines: list[str] = []
    sink = LineSink(lambda stream, line: lines.append(line))
    for chunk in chunks:
        sink.write("stdout", chunk)
    sink.flush()
    text = "".join(chunks)
    expected = text.split("\n")
    if expected[-1] == "":
        expected.pop()
    assert lines == expected


def test_bytes_that_end_in_the_middle_of_a_character_are_not_lost() -> None:
    """They come at the end, shown as invalid."""

    def work() -> None:
        sys.stdout.buffer.write(b"caf\xc3")

    assert captured(work) == [("stdout", "caf\ufffd")]


def test_threads_that_write_bytes_do_not_spoil_each_others_characters() -> None:
    """Each thread's half-written character is its own, also in a copied context."""

    def work() -> None:
        sys.stdout.buffer.write("ü".encode()[:1])

        def other() -> None:
            sys.stdout.buffer.write("other ä\n".encode())

        thread = threading.Thread(target=contextvars.copy_context().run, args=(other,))
        thread.start()
        thread.join()
        sys.stdout.buffer.write("ü".encode()[1:] + b" own\n")

    assert captured(work) == [("stdout", "other ä"), ("stdout", "ü own")]


def test_whoever_prints_because_of_a_line_is_not_captured(capsys: pytest.CaptureFixture[str]) -> None:
    """A listener that draws progress on the handler's thread would otherwise feed itself for ever."""
    lines: list[str] = []

    def emit(stream: str, line: str) -> None:
        lines.append(line)
        assert len(lines) < 10
        print(f"drawn: {line}")

    sink = LineSink(emit)

    def work() -> None:
        current_sink.set(sink)
        print("one")
        print("two", end="")
        sink.flush()
        print("three")

    with capture_output():
        contextvars.copy_context().run(work)
    assert lines == ["one", "two", "three"]
    assert capsys.readouterr().out == "drawn: one\ndrawn: two\ndrawn: three\n"


def test_a_process_without_standard_streams_captures_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """sys.stdout is None when the process was started with it closed; printing does nothing then."""
    monkeypatch.setattr(sys, "stdout", None)

    def work() -> None:
        print("kept", flush=True)
        assert not sys.stdout.isatty()

    with capture_output():
        print("to nobody", flush=True)
        lines = captured(work)
    assert sys.stdout is None
    assert lines == [("stdout", "kept")]


def test_the_capture_of_a_run_lasts_until_its_last_handler_has_ended() -> None:
    """Whether that comes before the end of the run or after it."""
    before = sys.stdout
    capture = Capture()
    capture.begin("first")
    capture.begin("left behind")
    capture.end("first")
    capture.close()
    assert sys.stdout is not before
    capture.end("left behind")
    assert sys.stdout is before
    capture.close()
    assert sys.stdout is before


def test_the_capture_of_one_call_ends_with_it() -> None:
    before = sys.stdout
    capture = Capture(over=True)
    capture.begin("call")
    assert sys.stdout is not before
    capture.end("call")
    assert sys.stdout is before


def test_handlers_that_end_at_the_same_time_put_the_streams_back_once() -> None:
    before = sys.stdout
    for _ in range(50):
        capture = Capture()
        names = [str(number) for number in range(8)]
        for name in names:
            capture.begin(name)
        capture.close()
        start = threading.Barrier(len(names))

        def end(name: str, capture: Capture = capture, start: threading.Barrier = start) -> None:
            start.wait()
            capture.end(name)

        threads = [threading.Thread(target=end, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sys.stdout is before
