"""Lines of milo's own between what others write into the same pipe."""

from __future__ import annotations

import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.execution.framing import Frames, Unframed, new_mark

MARK = b"\0mark-of-16-byte"


def written(*pieces: bytes | str) -> bytes:
    """What the pieces are in a pipe: text as milo's lines, bytes as somebody else's."""
    read, write = os.pipe()
    try:
        frames = Frames(MARK, write)
        for piece in pieces:
            frames.write(piece) if isinstance(piece, str) else os.write(write, piece)
        return os.read(read, 1 << 20)
    finally:
        os.close(read)
        os.close(write)


def told(data: bytes, cuts: list[int]) -> list[bytes | str]:
    """What is read of the data in pieces that end at `cuts`, neighbouring bytes joined."""
    unframed = Unframed(MARK)
    found: list[bytes | str] = []
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for start, end in pairwise(edges):
        for printed, line in unframed.feed(data[start:end]):
            found.append(printed if line is None else line)
    found.append(unframed.flush())
    joined: list[bytes | str] = []
    for each in found:
        if isinstance(each, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += each
        elif each or isinstance(each, str):
            joined.append(each)
    return joined


@given(
    st.lists(
        st.one_of(st.binary(min_size=1, max_size=40), st.text(max_size=40), st.just(MARK[:7])), max_size=8
    ),
    st.lists(st.integers(0, 2000), max_size=6),
)
def test_whatever_pieces_it_is_read_in_the_same_comes_out(pieces: list[bytes | str], cuts: list[int]) -> None:
    data = written(*pieces) if pieces else b""
    assert told(data, cuts) == told(data, [])
    assert [each for each in told(data, cuts) if isinstance(each, str)] == [
        each for each in pieces if isinstance(each, str)
    ]
    assert b"".join(each for each in told(data, cuts) if isinstance(each, bytes)) == b"".join(
        each for each in pieces if isinstance(each, bytes)
    )


def test_a_long_line_is_written_in_pieces_that_no_other_write_can_part() -> None:
    line = "ä" * 5000
    assert told(written(b"before\n", line, b"after"), []) == [b"before\n", line, b"after"]


@pytest.mark.parametrize("line", ["", "\udc80", "a\nb"])
def test_any_text_is_a_line(line: str) -> None:
    assert told(written(line), []) == [line]


def test_no_two_marks_are_the_same() -> None:
    assert new_mark() != new_mark()
    assert len(new_mark()) == len(MARK) == 16


def test_long_lines_of_several_threads_are_not_mixed() -> None:
    read, write = os.pipe()
    frames, unframed = Frames(MARK, write), Unframed(MARK)
    lines = {letter: letter * 3000 for letter in "abcd"}

    def write_some(line: str) -> None:
        for _ in range(200):
            frames.write(line)

    threads = [threading.Thread(target=write_some, args=(line,)) for line in lines.values()]
    for thread in threads:
        thread.start()
    found: list[str | None] = []
    while len(found) < 800:
        found += [line for _, line in unframed.feed(os.read(read, 65536))]
    for thread in threads:
        thread.join()
    os.close(read)
    os.close(write)
    assert sorted(found, key=str) == sorted([line for line in lines.values() for _ in range(200)])
