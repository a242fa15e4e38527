"""Live rows: what is written leaves nothing of the rows before behind, whatever the terminal's size has become."""

from __future__ import annotations

from milo.terminal.live import LiveRows

BEGIN, END = "\x1b[?2026h\x1b[?25l", "\x1b[J\x1b[?7h\x1b[?2026l"


def test_rows_are_drawn_where_those_before_began() -> None:
    rows = LiveRows()
    assert rows.draw([], ["one", "two"], 80, 24) == f"{BEGIN}\r\x1b[?7l\x1b[2Kone\r\n\x1b[2Ktwo{END}"
    assert rows.draw([], ["three"], 80, 24) == f"{BEGIN}\r\x1b[1A\x1b[?7l\x1b[2Kthree{END}"


def test_lines_that_stay_are_written_above_and_the_rows_begin_below_them() -> None:
    rows = LiveRows()
    rows.draw([], ["one", "two"], 80, 24)
    drawn = rows.draw(["done"], ["two"], 80, 24)
    assert drawn == f"{BEGIN}\r\x1b[1A\x1b[Jdone\r\n\x1b[?7l\x1b[2Ktwo{END}"
    assert rows.draw([], ["two"], 80, 24).startswith(f"{BEGIN}\r\x1b[?7l")


def test_a_row_never_takes_more_than_a_line() -> None:
    drawn = LiveRows().draw([], ["漢字" * 50, "\x1b[31m" + "x" * 100], 21, 24)
    assert drawn.count("\n") == 1
    assert "漢字漢字漢字漢字漢字…" in drawn
    assert "x" * 20 + "\x1b[0m…" in drawn
    assert "x" * 21 not in drawn


def test_a_terminal_that_became_narrower_has_broken_the_rows_into_more_lines() -> None:
    rows = LiveRows()
    rows.draw([], ["x" * 80, "y"], 80, 24)
    assert "\r\x1b[2A" in rows.draw([], ["x"], 40, 24)
    wide = LiveRows()
    # In 41 cells there is room for 20 wide characters and a half: the 60 take three lines.
    wide.draw([], ["漢字" * 30], 120, 24)
    assert "\r\x1b[2A" in wide.draw([], ["x"], 41, 24)


def test_a_terminal_that_cuts_rows_off_has_not() -> None:
    rows = LiveRows(reflows=False)
    rows.draw([], ["x" * 80, "y"], 80, 24)
    assert "\r\x1b[1A" in rows.draw([], ["x"], 40, 24)


def test_a_terminal_that_became_lower_is_not_left_at_its_top() -> None:
    rows = LiveRows()
    rows.draw([], ["x"] * 10, 80, 24)
    assert "\r\x1b[3A" in rows.draw([], ["x"] * 10, 80, 4)


def test_clearing_leaves_the_lines_that_stay_and_the_cursor() -> None:
    rows = LiveRows()
    rows.draw([], ["one", "two"], 80, 24)
    assert rows.clear(["done"], 80, 24) == "\r\x1b[1A\x1b[Jdone\r\n\x1b[?7h\x1b[?25h"
    assert rows.clear([], 80, 24) == ""
