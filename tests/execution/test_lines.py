"""Lines: the same ones whatever pieces the text comes in, and nothing lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.execution import lines as lines_module
from milo.execution.lines import LineSink, LineSplitter, utf8_decoder


def split(chunks: list[str]) -> list[str]:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.flush()


def reference(text: str, longest: int = 1 << 30) -> list[str]:
    """What the lines are, by another way: every end with the text before it."""
    lines = []
    at = 0
    for end in re.finditer(r"\r+\n?|\n", text):
        # Returns at the start of a line are no end of their own; with a newline after them they are.
        if end.start() > at or "\n" in end[0]:
            lines.append(text[at : end.start()])
        at = end.end()
    if at < len(text):
        lines.append(text[at:])
    return [line[i : i + longest] for line in lines for i in range(0, max(1, len(line)), longest)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("a\r\r\nb", ["a", "b"]),
        ("10%\r20%\r\rdone\n", ["10%", "20%", "done"]),
        ("x\n\r\ny", ["x", "", "y"]),
        ("\r\r", []),
        ("\rx\r", ["x"]),
        ("x\r\n\n", ["x", ""]),
        ("x\r\n\r\n", ["x", ""]),
        ("\n\n", ["", ""]),
        ("", []),
    ],
)
def test_every_kind_of_line_end_ends_a_line(text: str, expected: list[str]) -> None:
    """At once and one character at a time."""
    assert split([text]) == expected
    assert split(list(text)) == expected


def test_a_progress_bar_is_seen_as_it_moves() -> None:
    """Each state of it comes with its return, not with the next one or the end."""
    splitter = LineSplitter()
    assert splitter.feed("10%\r") == ["10%"]
    assert splitter.feed("20%\r") == ["20%"]
    assert splitter.feed("\n") == []
    assert splitter.feed("\n") == [""]


def test_a_flush_ends_the_line() -> None:
    """What comes afterwards begins a new one, a newline too."""
    splitter = LineSplitter()
    splitter.feed("x\r")
    assert splitter.flush() == []
    assert splitter.feed("\nrest") == [""]
    assert splitter.flush() == ["rest"]
    assert splitter.flush() == []


@given(st.lists(st.text(alphabet="ab\r\n", max_size=8), max_size=12))
def test_text_in_any_pieces_makes_the_same_lines(chunks: list[str]) -> None:
    """Those of the whole text; no plain character is lost or changes its place."""
    lines = split(chunks)
    assert lines == reference("".join(chunks))
    assert "".join(lines) == re.sub("[\r\n]", "", "".join(chunks))


@given(st.lists(st.text(alphabet="ab\r\n", max_size=20), max_size=12), st.integers(1, 7))
def test_a_line_without_end_is_given_out_in_pieces(chunks: list[str], longest: int) -> None:
    """All of the greatest length but the last, whatever pieces the text comes in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "MAX_LINE", longest)
        assert split(chunks) == reference("".join(chunks), longest)


@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", "ü€😀".encode(), b"\xff", b"\xc3", b"\xe2\x82"])),
    st.lists(st.integers(1, 5), min_size=1),
)
def test_bytes_in_any_pieces_make_the_same_lines(parts: list[bytes], sizes: list[int]) -> None:
    """Also cut in the middle of a character; what is no UTF-8 is shown as U+FFFD."""
    data = b"".join(parts)
    lines: list[tuple[str, str]] = []
    sink = LineSink(lambda stream, line: lines.append((stream, line)))
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        sink.write_bytes("stderr", data[at : at + size])
        at, turn = at + size, turn + 1
    sink.flush()
    assert lines == [("stderr", line) for line in reference(data.decode("utf-8", "replace"))]


def test_a_sink_keeps_the_streams_apart_and_flushes_in_the_order_of_beginning() -> None:
    """A return in one says nothing about a newline in the other."""
    lines: list[tuple[str, str]] = []
    sink = LineSink(lambda stream, line: lines.append((stream, line)))
    sink.write("stdout", "bar\r")
    sink.write("stderr", "\n")
    sink.write("stderr", "later ended")
    sink.write("stdout", "\nfirst")
    sink.write("stderr", ", begun before\nsecond")
    sink.flush()
    assert lines == [
        ("stdout", "bar"),
        ("stderr", ""),
        ("stderr", "later ended, begun before"),
        ("stdout", "first"),
        ("stderr", "second"),
    ]


def test_megabytes_survive_in_a_million_pieces() -> None:
    """A line of 8 MB, and returns without lines: squares of these lengths would never come to an end."""
    assert split(["12345678"] * 1_000_000 + ["\n"]) == ["12345678" * 1_000_000]
    assert split(["\r"] * 1_000_000) == []
    assert split(["\r" * 1_000_000]) == []
    assert split(["x\r" * 500_000]) == ["x"] * 500_000


def test_a_decoder_shows_what_is_no_utf_8() -> None:
    """One mark for each invalid byte, and for a character that never ends."""
    decoder = utf8_decoder()
    assert decoder.decode(b"a\xffb\xc3") + decoder.decode(b"", True) == "a\ufffdb\ufffd"
