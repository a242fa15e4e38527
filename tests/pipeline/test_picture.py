"""The picture of a run: only what is on the screen, whatever the screen; and the bundled template that draws it."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from milo.action import Action
from milo.pipeline import PhaseLog, PhaseStatus, PipelineState, PipelineViewState, make_detail_reducer
from milo.pipeline.picture import Picture
from milo.terminal import KEY, RESIZE, Key, SpecialKey
from milo.terminal.cells import width
from milo.terminal.view import View
from milo.text import strip_sgr

NOW = 130.0
LOGS = [
    PhaseLog(f"page {number} of 40 rendered", "stderr" if number % 9 == 0 else "stdout")
    for number in range(1, 41)
]
ERROR = (
    "cannot read logo.png\nlooked in:\n  /srv/site/assets\n  /srv/site/shared/assets/of/all/sites/everywhere"
)
PHASES = [
    PhaseStatus("discover", "completed", 100.0, 0.25),
    PhaseStatus("parse", "completed", 100.25, 4.0),
    PhaseStatus("render", "running", 104.25, 3.0, logs=LOGS),
    PhaseStatus("図形 assets", "failed", 104.25, 1.5, ERROR, logs=LOGS[:12]),
    PhaseStatus("upload", "retrying", 106.0, 2.0, "no route to host", attempt=2),
    PhaseStatus("notify", "skipped", 104.3, 0.01, "nobody is listening"),
    PhaseStatus("old", "cancelled", 104.3, 9.0),
    *[PhaseStatus(f"later-{number}") for number in range(30)],
]
RUN = PipelineState("site", PHASES, "render", 100.0, 8.0, 0.335, "running")


TEMPLATE = View("pipeline.kida", None, "jinja", lambda: NOW, color=None)
reducer = make_detail_reducer(lambda state, action: state)


def frame(columns: int, rows: int, *keys: Key, state: PipelineState = RUN, color: bool = False) -> str:
    view = reducer(PipelineViewState(state), Action(RESIZE, {"columns": columns, "rows": rows}))
    for key in keys:
        view = reducer(view, Action(KEY, key))
    return TEMPLATE.frame(view, columns, rows, color=color)


def drawn(text: str) -> str:
    return dedent(text.rstrip(" ")).removeprefix("\n")


UP, DOWN, ENTER = Key(name=SpecialKey.UP), Key(name=SpecialKey.DOWN), Key(name=SpecialKey.ENTER)


def test_the_list_tells_every_status_apart_without_colour() -> None:
    assert frame(80, 18, DOWN, DOWN) == drawn(
        """
         site  running                          ━━━━━━━━╸─────────────────   33 %  30 s
         3 of 37 done, 1 running, 1 retrying, 1 failed, 1 skipped, 1 cancelled
        ────────────────────────────────────────────────────────────────────────────────
          ✓ discover     completed      0.25 s
          ✓ parse        completed       4.0 s
        ❯ ▸ render       running          26 s     page 40 of 40 rendered
          ✗ 図形 assets  failed          1.5 s     cannot read logo.png
          ↻ upload       retrying         24 s ×2  no route to host
          ↷ notify       skipped        0.01 s     nobody is listening
          ■ old          cancelled       9.0 s
          · later-0      pending
          · later-1      pending
          · later-2      pending
          · later-3      pending
          · later-4      pending
          · later-5      pending
        ─────────────────────────────────────────────────────────────────── 1-13 of 37 ─
         ↑↓ select  Enter logs  q quit  / filter  e next failed  r next running
        """
    )


def test_forty_columns_keep_name_and_time() -> None:
    assert frame(40, 14, DOWN, DOWN) == drawn(
        """
         site  running               33 %  30 s
         3 of 37 done, 1 running, 1 retrying, 1…
        ────────────────────────────────────────
          ✓ discover        0.25 s
          ✓ parse            4.0 s
        ❯ ▸ render            26 s     page 40 …
          ✗ 図形 assets      1.5 s     cannot r…
          ↻ upload            24 s ×2  no route…
          ↷ notify          0.01 s     nobody i…
          ■ old              9.0 s
          · later-0
          · later-1
        ──────────────────────────── 1-9 of 37 ─
         ↑↓ select  Enter logs  q quit  / filter
        """
    )


def test_ten_rows_keep_the_selection_in_sight() -> None:
    assert frame(40, 10, *[DOWN] * 9) == drawn(
        """
         site  running               33 %  30 s
          ▸ render            26 s     page 40 …
          ✗ 図形 assets      1.5 s     cannot r…
          ↻ upload            24 s ×2  no route…
          ↷ notify          0.01 s     nobody i…
          ■ old              9.0 s
          · later-0
          · later-1
        ❯ · later-2
         ↑↓ select  Enter logs  q quit  / filter
        """
    )


def test_a_wide_screen_shows_when_each_phase_ran() -> None:
    assert frame(110, 14) == drawn(
        """
         site  running                                                    ━━━━━━━━━━────────────────────   33 %  30 s
         3 of 37 done, 1 running, 1 retrying, 1 failed, 1 skipped, 1 cancelled
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        ❯ ✓ discover     completed      0.25 s     ━
          ✓ parse        completed       4.0 s     ━━━━
          ▸ render       running          26 s        ━━━━━━━━━━━━━━━━━━━  page 40 of 40 rendered
          ✗ 図形 assets  failed          1.5 s        ━━                   cannot read logo.png
          ↻ upload       retrying         24 s ×2      ━━━━━━━━━━━━━━━━━━  no route to host
          ↷ notify       skipped        0.01 s        ━                    nobody is listening
          ■ old          cancelled       9.0 s        ━━━━━━━
          · later-0      pending
          · later-1      pending
        ────────────────────────────────────────────────────────────────────────────────────────────────── 1-9 of 37 ─
         ↑↓ select  Enter logs  q quit  / filter  e next failed  r next running
        """
    )


def test_an_expanded_phase_shows_its_lines_from_where_it_was_scrolled_to() -> None:
    assert frame(60, 14, DOWN, DOWN, ENTER, Key("g"), DOWN) == drawn(
        """
         site  running            ━━━━━━╸─────────────   33 %  30 s
         ▸ render  running  26 s
        ────────────────────────────────────────────────────────────
        page 2 of 40 rendered
        page 3 of 40 rendered
        page 4 of 40 rendered
        page 5 of 40 rendered
        page 6 of 40 rendered
        page 7 of 40 rendered
        page 8 of 40 rendered
        page 9 of 40 rendered
        page 10 of 40 rendered
        ─────────────────────────────────────────────── 2-10 of 40 ─
         ↑↓ scroll  Enter back  q quit  f follow  g/G top/bottom
        """
    )


def test_an_error_is_shown_in_full_below_the_last_lines() -> None:
    assert frame(60, 14, Key("e"), ENTER) == drawn(
        """
         site  running            ━━━━━━╸─────────────   33 %  30 s
         ✗ 図形 assets  failed  1.5 s
        ────────────────────────────────────────────────────────────
        page 9 of 40 rendered
        page 10 of 40 rendered
        page 11 of 40 rendered
        page 12 of 40 rendered

        cannot read logo.png
        looked in:
          /srv/site/assets
          /srv/site/shared/assets/of/all/sites/everywhere
        ──────────────────────────────────── 9-17 of 17, following ─
         ↑↓ scroll  Enter back  q quit  f follow  g/G top/bottom
        """
    )


def test_an_error_is_broken_where_the_screen_ends() -> None:
    assert frame(40, 10, Key("e"), ENTER) == drawn(
        """
         ✗ 図形 assets  failed       33 %  30 s
        page 11 of 40 rendered
        page 12 of 40 rendered

        cannot read logo.png
        looked in:
          /srv/site/assets
          /srv/site/shared/assets/of/all/sites/e
        verywhere
         ↑↓ scroll  Enter back  q quit  f follow
        """
    )


def test_a_filter_is_typed_where_the_keys_are_told() -> None:
    assert frame(60, 13, Key("/"), Key("2")) == drawn(
        """
         site  running            ━━━━━━╸─────────────   33 %  30 s
         3 of 37 done, 1 running, 1 retrying, 1 failed, 1 skipped, …
        ────────────────────────────────────────────────────────────
        ❯ · later-2      pending
          · later-12     pending
          · later-20     pending
          · later-21     pending
          · later-22     pending
          · later-23     pending
          · later-24     pending
          · later-25     pending
        ──────────────────────────────────────────────── 1-8 of 12 ─
         /2   Enter keeps it, Esc drops it
        """
    )


def test_a_filter_that_is_kept_says_how_to_drop_it() -> None:
    assert frame(60, 13, Key("/"), Key("2"), ENTER) == drawn(
        """
         site  running            ━━━━━━╸─────────────   33 %  30 s
         3 of 37 done, 1 running, 1 retrying, 1 failed, 1 skipped, …
        ────────────────────────────────────────────────────────────
        ❯ · later-2      pending
          · later-12     pending
          · later-20     pending
          · later-21     pending
          · later-22     pending
          · later-23     pending
          · later-24     pending
          · later-25     pending
        ──────────────────────────────────────────────── 1-8 of 12 ─
         Esc drops /2  ↑↓ select  Enter logs  q quit  / filter
        """
    )


# --- what the frames above do not show ---


def picture(columns: int = 80, rows: int = 24, state: PipelineState = RUN, **fields: Any) -> Picture:
    return PipelineViewState(state, **fields).picture(columns, rows, lambda: NOW)


def test_time_is_asked_for_only_while_something_runs() -> None:
    def refuse() -> float:
        raise AssertionError("nothing runs")

    ended = PipelineState("site", [PhaseStatus("a", "failed", 1.0, 2.0)], "", 1.0, 2.5, 0.0, "failed")
    assert PipelineViewState(ended).picture(80, 24, refuse).elapsed == 2.5
    late = PipelineState("site", [PhaseStatus("a", "running", 1.0, 2.0)], "", 1.0, 2.5, 0.0, "failed")
    assert PipelineViewState(late).picture(80, 24, lambda: 11.0).elapsed == 10.0
    assert PipelineViewState(late).picture(80, 24).elapsed == 2.5


def test_no_more_rows_or_lines_are_made_than_fit() -> None:
    logs = [PhaseLog(f"line {number}") for number in range(10_000)]
    phases = [PhaseStatus(f"phase {number}", "running", 1.0, logs=logs) for number in range(1000)]
    state = PipelineState("big", phases, "", 0.0, 0.0, 0.0, "running")
    assert [row.name for row in picture(state=state, selected_phase=999).rows][-1] == "phase 999"
    shown = picture(state=state, expanded=True)
    assert (len(shown.rows), len(shown.lines)) == (19, 19)
    assert shown.lines[-1].text == "line 9999"
    assert shown.position == "9,982-10,000 of 10,000"


def test_without_a_screen_everything_is_listed() -> None:
    assert len(picture(rows=0).rows) == 37
    assert picture(rows=0).spare == 0


def test_an_empty_pipeline_has_a_picture_too() -> None:
    empty = PipelineState("empty")
    assert picture(state=empty).phase is None
    assert picture(state=empty).position == "no phases"
    assert picture(state=empty, expanded=True).lines == []
    assert "empty  pending" in frame(80, 24, ENTER, state=empty)


def test_a_filter_that_nothing_matches_says_so() -> None:
    assert "no phase has that in its name" in frame(60, 13, Key("/"), Key("%"))


@pytest.mark.parametrize("columns", [1, 2, 10, 20, 33, 59, 60, 80, 95, 96, 200])
@pytest.mark.parametrize("rows", [1, 2, 3, 11, 12, 50])
def test_every_size_of_screen_is_filled_and_not_more(columns: int, rows: int) -> None:
    for keys in ([], [DOWN, DOWN, ENTER], [Key("e"), ENTER], [Key("/"), Key("2")]):
        lines = frame(columns, rows, *keys).split("\n")[:-1]
        assert len(lines) <= rows
        assert all(width(line) <= columns for line in lines)


def test_long_and_wide_names_do_not_push_the_rest_away() -> None:
    phases = [
        PhaseStatus("x" * 200, "completed", 1.0, 1.0),
        PhaseStatus("漢字" * 60, "failed", 1.0, 1.0, "no"),
    ]
    lines = frame(80, 12, state=PipelineState("long", phases)).split("\n")
    assert lines[3].startswith("❯ ✓ " + "x" * 25 + "…  completed")
    assert lines[4].startswith("  ✗ " + "漢字" * 6 + "…   failed")


def test_an_ended_phase_keeps_no_wish_to_be_drawn_again() -> None:
    """An idle view costs no time: the template asks for the time only while something runs."""
    ended = PipelineState("site", [PhaseStatus("a", "completed", 1.0, 2.0)], "", 1.0, 2.5, 1.0, "completed")
    assert TEMPLATE.draw(PipelineViewState(ended), 80, 24)[1] is None
    assert TEMPLATE.draw(PipelineViewState(RUN), 80, 24)[1] == 0.1


def test_colour_is_an_addition() -> None:
    painted = frame(80, 18, DOWN, DOWN, color=True)
    assert "\x1b[32m✓\x1b[0m" in painted
    assert "\x1b[1;31m✗\x1b[0m" in painted
    assert strip_sgr(painted).split() == frame(80, 18, DOWN, DOWN).split()


def test_colours_of_a_log_line_stay_on_their_line() -> None:
    phase = PhaseStatus("a", "running", 1.0, logs=[PhaseLog("\x1b[41mred"), PhaseLog("plain")])
    painted = frame(80, 12, ENTER, state=PipelineState("p", [phase]), color=True)
    assert "\x1b[41mred\x1b[0m\nplain\n" in painted
