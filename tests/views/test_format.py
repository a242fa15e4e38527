"""What the views share: colours, and a stream that survives its reader."""

import errno
import io
import os

import pytest

from milo.views.format import Output, Painter


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
    assert out.error is None
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_breaks_the_output_as_well_and_is_not_taken_for_a_reader_that_left() -> None:
    stream = open("/dev/full", "w")  # noqa: SIM115
    out = Output(stream)
    out.write("hello")
    out.write("again")
    assert out.broken
    assert out.error is not None
    assert out.error.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        stream.close()


def test_what_the_encoding_cannot_say_is_escaped_and_not_lost() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream).write("漢 done\n")
    assert raw.getvalue() == b"\\u6f22 done\n"


def test_marks_have_a_plain_form_of_one_cell_where_the_encoding_has_none() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    Output(stream).write("✓ é ▸ ↻ …\n")
    assert raw.getvalue() == b"+ \xe9 > ~ .\n"
