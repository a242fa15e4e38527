"""The live view: rows for what runs, lines above for what has ended."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from milo.action import Action
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_START,
    PIPELINE_STOPPING,
    Phase,
    Pipeline,
)
from milo.text import strip_sgr
from milo.views.progress import ProgressView


@pytest.fixture
def view(out):
    view = ProgressView(out, color=False, now=lambda: 10.0, width=60, height=24)
    yield view
    view.close(view._state)


def rows(view, width=60):
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False, color_system=None).print(view.render())
    return stream.getvalue().splitlines()


def pipeline(*names):
    return Pipeline("build", *(Phase(name, handler=lambda: None, parallel=True) for name in names))


def start(name, at=8.0, attempt=1):
    return Action(PHASE_START, {"name": name, "attempt": attempt, "at": at})


def log(name, line):
    return Action(PHASE_LOG, {"name": name, "line": line, "stream": "stdout", "timestamp": 9.0})


def test_a_running_phase_shows_its_time_and_its_last_line(view, feed):
    feed(view, pipeline("a", "b"), [start("a"), log("a", "one"), log("a", "two")], close=False)
    bar, row = rows(view)
    assert "0/2 phases" in bar
    assert row.rstrip() == "  ▸ a  2.0 s  two"


def test_a_phase_that_waits_for_its_next_attempt_says_so(view, feed):
    retry = {"name": "a", "attempt": 1, "error": "no", "max_retries": 3, "delay": 1.0, "at": 9.0}
    feed(view, pipeline("a"), [start("a"), Action(PHASE_RETRY, retry)], close=False)
    assert "waiting for attempt 2  no" in rows(view)[1]
    view.on_actions([start("a", 9.5, attempt=2)], view._state)
    assert "attempt 2" in rows(view)[1]
    assert "waiting" not in rows(view)[1]


def test_phases_that_ended_are_printed_above_and_leave_the_rows(view, feed, tape):
    failed = Action(PHASE_FAILED, {"name": "b", "error": "ValueError: no", "at": 9.5})
    done = Action(PHASE_COMPLETE, {"name": "a", "result": None, "at": 9.0})
    feed(view, pipeline("a", "b"), [start("a"), start("b"), done, failed], close=False)
    assert len(rows(view)) == 1
    assert "2/2 phases, 1 failed" in rows(view)[0]
    view.close(view._state)
    above = strip_sgr(tape.getvalue())
    assert "✓ a  1.0 s" in above
    assert "✗ b  1.5 s  ValueError: no" in above


def test_more_phases_than_rows_are_counted(view, feed):
    names = [f"p{n:02d}" for n in range(40)]
    feed(view, pipeline(*names), [start(name) for name in names], close=False)
    shown = rows(view)
    assert len(shown) == 1 + 12
    assert shown[-1].strip() == "+29 more"


def test_a_row_never_exceeds_the_width_even_with_wide_characters(view, feed):
    feed(view, pipeline("a"), [start("a"), log("a", "漢字" * 200)], close=False)
    shown = rows(view)
    assert len(shown) == 2
    assert cell_len(shown[1]) <= 60


def test_hostile_text_reaches_no_terminal(view, feed):
    feed(
        view, pipeline("a"), [start("a"), log("a", "x\x1b[2J\x1b]0;t\x07\r\x9b1mend [bold]y[/]")], close=False
    )
    shown = "".join(rows(view))
    assert not any(character in shown for character in "\x1b\x07\r\x9b")
    assert "[bold]y[/]" in shown


def test_thousands_of_phases_that_end_at_once_do_not_flood_the_terminal(view, feed, tape):
    names = [f"p{n}" for n in range(1000)]
    target = pipeline(*names)
    state = feed(view, target, [], close=False)
    ends = [Action(PHASE_COMPLETE, {"name": name, "at": 1.0}) for name in names[:-1]]
    view.on_actions([*ends, Action(PHASE_FAILED, {"name": "p999", "error": "no", "at": 1.0})], state)
    view.close(view._state)
    assert "more phases ended" in tape.getvalue()
    assert tape.getvalue().count("✓") <= 2 * 20
    assert "✗ p999  no" in tape.getvalue()


def test_closing_brings_the_cursor_back(view, feed, tape):
    feed(view, pipeline("a"), [start("a")])
    assert tape.getvalue().rindex("\x1b[?25h") > tape.getvalue().rindex("\x1b[?25l")


def test_without_colour_nothing_is_coloured(view, feed, tape):
    done = Action(PHASE_COMPLETE, {"name": "a", "result": None, "at": 9.0})
    feed(view, pipeline("a"), [start("a"), done])
    assert "\x1b[3" not in tape.getvalue()


def test_a_run_that_stops_says_for_how_long_at_most_and_keeps_the_rows_of_those_it_waits_for(view, feed):
    view._console.width = 80
    stopping = Action(PIPELINE_STOPPING, {"at": 9.0, "grace": 5.0})
    cancelled = Action(PHASE_CANCELLED, {"name": "a", "at": 9.5})
    feed(view, pipeline("a", "b"), [start("a"), start("b"), stopping, cancelled], close=False)
    _, told, row = rows(view, 80)
    assert told.rstrip() == "stopping: waiting up to 4.0 s for what runs (Ctrl-C again ends at once)"
    assert row.split()[:2] == ["▸", "b"]


def test_a_run_that_is_overdue_does_not_count_below_zero(view, feed):
    feed(view, pipeline("a"), [start("a"), Action(PIPELINE_STOPPING, {"at": 2.0, "grace": 5.0})], close=False)
    assert "up to 0.00 s" in rows(view)[1]


def test_before_a_run_stops_nothing_is_said_of_it(view, feed):
    feed(view, pipeline("a"), [start("a")], close=False)
    assert "stopping" not in "".join(rows(view))


def test_the_line_about_stopping_takes_the_place_of_a_row(view, feed):
    view._console.height = 8
    names = [f"p{n}" for n in range(10)]
    feed(view, pipeline(*names), [start(name) for name in names], close=False)
    before = len(rows(view))
    view.on_actions([Action(PIPELINE_STOPPING, {"at": 9.0, "grace": 5.0})], view._state)
    assert len(rows(view)) == before == 6


def test_a_frame_keeps_names_and_times_in_columns(view, feed):
    """Long names lose their middle, so that what tells them apart is still to be read."""
    names = ["a", "漢字の名前", *(f"a-rather-long-name-of-a-phase-number-{n}" for n in (1, 2))]
    starts = [start(name, at) for name, at in zip(names, (0.0, 8.0, 9.5, 9.9), strict=True)]
    feed(
        view,
        pipeline(*names, "later"),
        [*starts, log("a", "x" * 100), log("漢字の名前", "漢字" * 30)],
        close=False,
    )
    assert [row.rstrip() for row in rows(view)] == [
        "                       0 %  0/5 phases  10 s",
        "  ▸ a                             10 s  xxxxxxxxxxxxxxxxxxx…",
        "  ▸ 漢字の名前                   2.0 s  漢字漢字漢字漢字漢 …",
        "  ▸ a-rather-lon…hase-number-1  0.50 s",
        "  ▸ a-rather-lon…hase-number-2  0.10 s",
    ]


def test_a_frame_for_a_narrow_terminal_still_shows_times_and_a_word_of_output(view, feed):
    view._console.width = 40
    feed(
        view,
        pipeline("compile-everything"),
        [start("compile-everything"), log("compile-everything", "cc main.c -o main")],
        close=False,
    )
    assert [row.rstrip() for row in rows(view, 40)] == [
        "                0 %  0/1 phase  10 s",
        "  ▸ compile…erything  2.0 s  cc main.c …",
    ]


def test_hundreds_of_parallel_phases_take_no_more_than_the_screen(view, feed):
    view._console.height = 10
    names = [f"p{n}" for n in range(300)]
    feed(view, pipeline(*names), [start(name) for name in names], close=False)
    shown = rows(view)
    assert len(shown) <= 9
    assert shown[-1].strip() == "+294 more"


def test_a_progress_bar_that_returns_to_its_start_shows_where_it_is(view, feed):
    """Each return ends a line of output; the row shows the last one."""
    bar = [log("a", f"{percent:3d}% {'#' * (percent // 10)}") for percent in (10, 50, 90)]
    feed(view, pipeline("a"), [start("a"), *bar], close=False)
    assert rows(view)[1].rstrip() == "  ▸ a  2.0 s   90% #########"


def test_however_fast_actions_come_the_screen_is_drawn_a_few_times_only(view, feed, tape):
    names = [f"p{n}" for n in range(2000)]
    actions = [
        action
        for name in names
        for action in (start(name), Action(PHASE_COMPLETE, {"name": name, "at": 9.0}))
    ]
    feed(view, pipeline(*names), actions)
    assert tape.getvalue().count("\x1b[2K") < 200
