"""What the views share: times, colours, and a stream that survives its reader."""

import io
import os

import pytest

from milo.views.format import Output, Painter, count, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.00 s"),
        (0.25, "0.25 s"),
        (0.999, "1.0 s"),
        (9.94, "9.9 s"),
        (9.999, "10 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600 * 2 + 180, "2 h 03 min"),
    ],
)
def test_a_duration_reads_the_way_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_count_agrees_with_its_noun() -> None:
    assert [count(1, "phase"), count(2, "phase")] == ["1 phase", "2 phases"]


def test_a_painter_without_colour_leaves_no_escape_in_foreign_text() -> None:
    assert Painter(False).foreign("\x1b[31mred") == "red"
    assert Painter(False)("x", "red") == "x"


def test_a_painter_with_colour_ends_foreign_colours_at_the_end_of_the_line() -> None:
    assert Painter(True).foreign("\x1b[31mred").endswith("\x1b[0m")


def test_a_closed_pipe_marks_the_output_as_broken_and_raises_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    out = Output(stream)
    out.write("hello")
    out.write("again")
    assert out.broken
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_what_the_encoding_cannot_say_is_escaped_and_not_lost() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream).write("✓ done\n")
    assert raw.getvalue() == b"\\u2713 done\n"
