"""The screen: only lines that differ are written, each to its own place."""

from __future__ import annotations

from milo.terminal.screen import ENTER, LEAVE, Screen, lines_of

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"


def drawn(written: str) -> str:
    assert written.startswith(BEGIN)
    assert written.endswith(END)
    return written.removeprefix(BEGIN).removesuffix(END)


def test_the_first_frame_clears_the_screen_and_writes_every_line() -> None:
    assert (
        drawn(Screen().update(["one", "two"], 10, 3)) == "\x1b[0m\x1b[2J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K"
    )


def test_what_has_not_changed_is_not_written() -> None:
    screen = Screen()
    screen.update(["one", "two"], 10, 3)
    assert screen.update(["one", "two"], 10, 3) == ""
    assert drawn(screen.update(["one", "TWO"], 10, 3)) == "\x1b[2;1HTWO\x1b[K"


def test_lines_that_are_gone_are_cleared() -> None:
    screen = Screen()
    screen.update(["one", "two", ""], 10, 3)
    assert drawn(screen.update(["one"], 10, 3)) == "\x1b[2;1H\x1b[K"


def test_a_full_line_is_not_erased_by_its_own_end() -> None:
    """The cursor stays on the last cell there; to clear from it on would clear that cell."""
    assert "\x1b[K" not in Screen().update(["x" * 10], 10, 3)
    assert "\x1b[K" not in Screen().update(["漢" * 5], 10, 3)


def test_a_new_size_or_somebody_elses_writing_draws_everything_anew() -> None:
    screen = Screen()
    screen.update(["one"], 10, 3)
    assert "one" in screen.update(["one"], 11, 3)
    screen.forget()
    assert "\x1b[2J" in screen.update(["one"], 11, 3)


def test_a_frame_is_cut_to_the_screen() -> None:
    assert lines_of("abcdef\n\x1b[31m漢字漢\x1b[0m\nthree\nfour", 5, 3) == [
        "abcde",
        "\x1b[31m漢字\x1b[0m",
        "three",
    ]


def test_leaving_undoes_what_entering_did() -> None:
    for mode in ("25", "7", "1049"):
        assert f"\x1b[?{mode}" in ENTER
        assert f"\x1b[?{mode}" in LEAVE
    # How the wheel behaved before is kept and brought back, not guessed.
    assert "\x1b[?1007s\x1b[?1007h" in ENTER
    assert "\x1b[?1007r" in LEAVE
    for mode in ("1000", "1002", "1003", "1006"):
        assert f"\x1b[?{mode}h" not in ENTER, "mouse reporting would take the selecting of text away"
