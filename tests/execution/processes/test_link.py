"""Messages arrive whole and in order, whatever their size, and an end that was closed is noticed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milo.execution.processes.link import Link


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    """Both ends of a link."""
    (first_reads, second_writes), (second_reads, first_writes) = os.pipe(), os.pipe()
    first, second = Link(first_reads, first_writes), Link(second_reads, second_writes)
    yield first, second
    first.close()
    second.close()


sizes = st.one_of(st.integers(0, 40), st.sampled_from([16_384, 16_385, 65_527, 65_528, 70_000, 1_000_000]))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), sizes), max_size=6))
def test_messages_arrive_whole_and_in_order(
    ends: tuple[Link, Link], messages: list[tuple[bytes, int]]
) -> None:
    first, second = ends
    sent = [(kind, bytes([number + 1]) * size) for number, (kind, size) in enumerate(messages)]

    def send() -> None:
        for kind, body in sent:
            first.send(kind, body)

    thread = threading.Thread(target=send)
    thread.start()
    received = [second.receive() for _ in sent]
    thread.join()
    assert [(kind, bytes(body)) for kind, body in received] == sent
    assert not second.pending


def test_what_was_read_along_is_pending(ends: tuple[Link, Link]) -> None:
    first, second = ends
    first.send(b"a", b"one")
    first.send(b"b")
    assert second.receive() == (b"a", b"one")
    assert second.pending
    assert second.receive() == (b"b", b"")
    assert not second.pending


@pytest.mark.parametrize("sent", [b"", b"a\0\0", b"a\0\0\0\0\0\0\0\x09short"])
def test_an_end_that_was_closed_is_noticed_even_within_a_message(sent: bytes) -> None:
    (reading, other_writes), (other_reads, writing) = os.pipe(), os.pipe()
    link = Link(reading, writing)
    os.write(other_writes, sent)
    os.close(other_writes)
    os.close(other_reads)
    with pytest.raises(EOFError):
        link.receive()
    with pytest.raises(OSError, match="Broken pipe"):
        link.send(b"a")
    link.close()
    link.close()
