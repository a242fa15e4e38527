"""What every template can use: meters, rules, hints."""

from __future__ import annotations

import pytest

from milo.terminal.cells import width
from milo.terminal.helpers import Helpers
from milo.text import strip_sgr

NAN = float("nan")
RICH, PLAIN = Helpers(unicode=True), Helpers(unicode=False)


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (0, "────"),
        (0.5, "━━──"),
        (0.4, "━╸──"),
        (0.99, "━━━╸"),
        (1, "━━━━"),
        (7, "━━━━"),
        (-1, "────"),
        (NAN, "────"),
    ],
)
def test_a_meter_is_full_only_when_it_is_all(share: float, bar: str) -> None:
    assert RICH.meter(share, 4) == bar


def test_a_meter_in_ascii() -> None:
    assert PLAIN.meter(0.5, 4) == "##.."
    assert PLAIN.meter(0.5, 0) == PLAIN.meter(0.5, -3) == ""


@pytest.mark.parametrize(
    ("begin", "end", "bar"),
    [
        (0, 1, "━━━━"),
        (0, 0, "━   "),
        (0.5, 0.5, "  ━ "),
        (0.25, 0.75, " ━━ "),
        (0.99, 2, "   ━"),
        (1, 1, "   ━"),
    ],
)
def test_a_span_shows_at_least_one_cell(begin: float, end: float, bar: str) -> None:
    assert RICH.span(begin, end, 4) == bar


def test_a_rule_has_its_title_near_one_end() -> None:
    assert RICH.rule(10) == "─" * 10
    assert RICH.rule(12, "漢字") == "───── 漢字 ─"
    assert RICH.rule(10, "ab", "left") == "─ ab ─────"
    assert PLAIN.rule(10, "ab") == "----- ab -"
    assert RICH.rule(3, "title") == "───"
    assert [width(RICH.rule(columns, "a long title")) for columns in range(20)] == list(range(20))


def test_as_many_hints_as_fit_the_first_ones_first() -> None:
    keys = [("q", "quit"), ("e", "next failed"), ("f", "follow")]
    assert strip_sgr(RICH.hints(40, keys)) == "q quit  e next failed  f follow"
    assert strip_sgr(RICH.hints(22, keys)) == "q quit  e next failed"
    assert RICH.hints(3, keys) == ""


def test_a_symbol_has_a_plain_form() -> None:
    assert (RICH.symbol("✓", "+"), PLAIN.symbol("✓", "+")) == ("✓", "+")
