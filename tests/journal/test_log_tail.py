"""The last lines of each phase stay, whatever the batches; the rest goes, and no gap is left between them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Action
from milo.journal.chain import link
from milo.journal.entries import LOG
from milo.journal.log_tail import LogTail, Tail
from tests.journal.world import printed

LIMITS = {"a": 3, "b": 1, "c": 0, "d": 100}


class Table:
    """The table `logs`, in memory."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}

    def apply(self, tail: LogTail) -> None:
        rows, old = tail.take()
        for place, data, _ in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert place not in self.rows
            self.rows[place] = data
        for place in old:
            del self.rows[place]

    def lines(self, phase: int) -> list[str]:
        rows = [data for _, data in sorted(self.rows.items())]
        return [data[LOG.size :].decode() for data in rows if LOG.unpack_from(data)[1] == phase]

    def numbers(self, phase: int) -> list[int]:
        rows = [data for _, data in sorted(self.rows.items())]
        return [LOG.unpack_from(data)[2] for data in rows if LOG.unpack_from(data)[1] == phase]


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=12), max_size=12))
def test_any_batches(batches: list[list[str]]) -> None:
    """Of each phase at least the last lines stay, at most twice as many, the last one always, without gaps."""
    tail, table = LogTail(LIMITS, 1000), Table()
    written: dict[str, list[str]] = {name: [] for name in LIMITS}
    for batch in batches:
        for name in batch:
            line = f"{name}{len(written[name])}"
            written[name].append(line)
            assert tail.add(printed(name, line), 5, b"h")
        table.apply(tail)
        for number, (name, limit) in enumerate(LIMITS.items()):
            stay = table.lines(number)
            assert stay == written[name][len(written[name]) - len(stay) :]
            assert min(limit, len(written[name])) <= len(stay) <= 2 * limit
            numbers = table.numbers(number)
            assert numbers == list(range(len(written[name]) - len(stay) + 1, len(written[name]) + 1))


def test_flood_costs_little() -> None:
    """Of a flood in one batch only the last lines become rows."""
    tail = LogTail(LIMITS, 0)
    for number in range(10_000):
        tail.add(printed("a", str(number)), 1, b"h")
    rows, old = tail.take()
    assert len(rows) == 9
    assert old == []


def test_outputs_leave_nothing_out() -> None:
    """The complete output is handed on, in order, whatever stays in the journal, and once."""
    tail = LogTail(LIMITS, 0)
    for number in range(10):
        tail.add(printed("b" if number % 2 else "c", str(number)), 1, b"h")
    assert dict(tail.outputs()) == {"b": ["1", "3", "5", "7", "9"], "c": ["0", "2", "4", "6", "8"]}
    tail.take()
    assert tail.outputs() == []


def test_rows() -> None:
    """A row says after which record the line came, and its hash is chained from that record's."""
    tail = LogTail(LIMITS, 1000, line=5)
    tail.add(printed("a", "é", "stderr", 2.5), 7, b"head")
    (place, data, hashed), _ = tail.take()
    assert place == 1006
    assert LOG.unpack_from(data) == (7, 0, 1, 1, 2.5)
    assert data[LOG.size :] == "é".encode()
    assert hashed == link(b"head", data)


def test_order_between_phases() -> None:
    """Rows come in the order of the lines, whichever phase they are of."""
    tail = LogTail(LIMITS, 0)
    for name in "adad":
        tail.add(printed(name, name), 1, b"h")
    rows, _ = tail.take()
    assert rows[::3] == [1, 2, 3, 4]
    assert [LOG.unpack_from(data)[1] for data in rows[1::3]] == [0, 3, 0, 3]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        {"name": "a", "line": "x", "stream": "stdout"},
        {"name": "a", "line": "x", "stream": "stdout", "timestamp": 1},
        {"name": "a", "line": 3, "stream": "stdout", "timestamp": 1.0},
        {"name": "a", "line": "x", "stream": "both", "timestamp": 1.0},
        {"name": "z", "line": "x", "stream": "stdout", "timestamp": 1.0},
        {"name": [], "line": "x", "stream": [], "timestamp": 1.0},
    ],
)
def test_lines_of_another_kind(payload: Any) -> None:
    """What is not a line as milo makes them is left to the records."""
    tail = LogTail(LIMITS, 0)
    assert not tail.add(Action("@@PHASE_LOG", payload), 1, b"h")
    assert tail.take() == ([], [])


def test_goes_on_where_it_stopped() -> None:
    """Lines that the journal has already count, and go when their time has come."""
    from collections import deque

    tail = LogTail(LIMITS, 0, line=9, tails={"a": Tail(0, 3, count=7, places=deque([2, 5, 9]))})
    for number in range(4):
        tail.add(printed("a", str(number)), 1, b"h")
    rows, old = tail.take()
    assert old == [2, 5, 9]
    assert [LOG.unpack_from(data)[2] for data in rows[1::3]] == [9, 10, 11]
