"""The picture: what of a detail view is on a screen of some size, in words and numbers that a template can use.

Only what is visible is worked out, however many phases and lines there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Final, NamedTuple

from milo.pipeline.state import GOING, LOGS, STATUS, Leaf, Logs
from milo.pipeline.view_state import PipelineViewState, body_height, error_lines

__all__ = ["Line", "Picture", "Row"]

_ENDED: Final = ("completed", "skipped")
_TOLD: Final = ("running", "retrying", "failed", "skipped", "cancelled")
_LOW_SCREEN: Final = 12
# From these widths on there is room for the status as a word, for a note, and for the bar of when a phase ran.
_WITH_STATUS: Final = 60
_WITH_SPAN: Final = 96
_WIDEST_NAME: Final = 32
_MOST_OF_A_NOTE: Final = 1000


class Row(NamedTuple):
    """A phase in the list.

    Args:
        name: Its name.
        status: Its status.
        started: Whether it has started; its times are 0.0 until then.
        elapsed: Seconds it has taken so far.
        attempt: The number of its attempt.
        note: The error, or the last line of output while it runs.
        selected: Whether it is the selected one.
        begin: When it started, as a share of the run so far.
        end: When it ended, likewise.
        lines: How many log lines it has.
    """

    name: str
    status: str
    started: bool
    elapsed: float
    attempt: int
    note: str
    selected: bool
    begin: float
    end: float
    lines: int


class Line(NamedTuple):
    """A line of an expanded phase: what it says, and whether it is from "stdout", "stderr", or of the "error"."""

    text: str
    stream: str


class Picture:
    """A detail view on a screen.

    Args:
        view: What is looked at, and how.
        columns: The cells in a line.
        rows: The lines; 0 where everything is to be listed.
        now: Monotonic seconds, asked only while something runs.
    """

    def __init__(
        self, view: PipelineViewState, columns: int, rows: int, now: Callable[[], float] | None
    ) -> None:
        self._view = view
        self._pipeline = pipeline = view.pipeline
        self.columns = columns
        self.name = pipeline.name
        self.status = view.outcome or pipeline.status
        self.message = view.message
        self.progress = pipeline.progress
        self.expanded = view.expanded
        self.following = view.auto_follow
        self.filter = view.filter
        self.filtering = view.filtering
        self.low = 0 < rows < _LOW_SCREEN
        self.height = body_height(rows) if rows else max(1, len(pipeline.leaves))
        counts = self.counts = Counter([leaf[STATUS] for leaf in pipeline.leaves])
        self.going = not view.outcome and (
            pipeline.status == "running" or any(status in counts for status in GOING)
        )
        self._now = now() if self.going and now is not None else None
        self.elapsed = self._elapsed(self.going, pipeline.started_at, pipeline.elapsed)

    def _elapsed(self, going: bool, started_at: float, known: float) -> float:
        return max(known, self._now - started_at) if going and self._now is not None else known

    # The list.

    @property
    def summary(self) -> str:
        """How many phases are done, and how many are in any other state that matters."""
        counts = self.counts
        done = sum(counts[status] for status in _ENDED)
        told = [f"{done:,} of {len(self._pipeline.leaves):,} done"]
        told += [f"{counts[status]:,} {status}" for status in _TOLD if counts[status]]
        return ", ".join(told)

    @cached_property
    def _window(self) -> tuple[int, int]:
        """The places in the list of the first phase on the screen and of the one after the last."""
        listed, view = self._view.listed, self._view
        first = min(view.list_scroll, max(0, len(listed) - self.height))
        if view.selected_phase in listed:
            # The list may have been scrolled for a screen of another height.
            place = listed.index(view.selected_phase)
            first = max(min(first, place), place - self.height + 1)
        return first, min(len(listed), first + self.height)

    @cached_property
    def rows(self) -> list[Row]:
        """The phases on the screen."""
        first, end = self._window
        names, leaves = self._pipeline.names, self._pipeline.leaves
        selected = self._view.selected_phase
        numbers = self._view.listed[first:end]
        return [self._row(names[number], leaves[number], number == selected) for number in numbers]

    def _row(self, name: str, leaf: Leaf, selected: bool) -> Row:
        status, started_at, elapsed, error, attempt, logs = leaf
        if status == "pending":
            return Row(name, status, False, 0.0, attempt, "", selected, 0.0, 0.0, len(logs))
        going = self.going and status in GOING
        took = self._elapsed(going, started_at, elapsed)
        whole = max(self.elapsed, 1e-9)
        begin = max(0.0, started_at - self._pipeline.started_at)
        note = error if status in ("failed", "retrying", "skipped") else ""
        if status == "running" and len(logs):
            note = logs.as_tuple(len(logs) - 1)[0].line
        note = note[:_MOST_OF_A_NOTE].partition("\n")[0]
        span = (begin / whole, (begin + took) / whole)
        return Row(name, status, True, took, attempt, note, selected, *span, len(logs))

    @property
    def position(self) -> str:
        """Which of the listed phases, or which lines, are on the screen."""
        if self.expanded:
            first, end, total, what = *self._span, self._total, "line"
        else:
            (first, end), total, what = self._window, len(self._view.listed), "phase"
        if not total:
            return f"no {what}s" if what == "line" or not self.filter else "no phase has that in its name"
        if end - first >= total:
            return f"{total:,} {what}" if total == 1 else f"{total:,} {what}s"
        return f"{first + 1:,}-{end:,} of {total:,}"

    @property
    def spare(self) -> int:
        """How many lines between the body and what stands below it are empty."""
        return self.height - (len(self.lines) if self.expanded else len(self.rows))

    # The widths of the columns.

    @property
    def status_width(self) -> int:
        """The cells for the status as a word; 0 where there is no room."""
        return 10 if self.columns >= _WITH_STATUS else 0

    @property
    def span_width(self) -> int:
        """The cells for the bar of when a phase ran; 0 where there is no room."""
        return min(30, self.columns // 5) if self.columns >= _WITH_SPAN else 0

    @cached_property
    def name_width(self) -> int:
        """The cells for names: as many as the longest needs, if there is room."""
        longest = max(map(_cells, self._pipeline.names), default=0)
        room = self.columns - 18 if not self.status_width else min(_WIDEST_NAME, self.columns // 3)
        return max(1, min(longest, room))

    @property
    def note_width(self) -> int:
        """The cells that are left for the note."""
        taken = 4 + self.name_width + 14
        if self.status_width:
            taken += self.status_width + 2
        if self.span_width:
            taken += self.span_width + 2
        return max(0, self.columns - taken - 2)

    # The expanded phase.

    @cached_property
    def phase(self) -> Row | None:
        """The selected phase."""
        number, names = self._view.selected_phase, self._pipeline.names
        if not 0 <= number < len(names):
            return None
        return self._row(names[number], self._pipeline.leaves[number], True)

    @cached_property
    def _error(self) -> tuple[str, ...]:
        return error_lines(self._pipeline.leaves[self._view.selected_phase], self.columns)

    @property
    def _total(self) -> int:
        if self.phase is None:
            return 0
        return self.phase.lines + len(self._error) + bool(self._error)

    @property
    def _span(self) -> tuple[int, int]:
        last = max(0, self._total - self.height)
        first = last if self._view.auto_follow else min(self._view.log_scroll, last)
        return first, min(self._total, first + self.height)

    @cached_property
    def lines(self) -> list[Line]:
        """The lines on the screen: logs, and after the last of them the error in full."""
        if self.phase is None:
            return []
        first, end = self._span
        logs: Logs = self._pipeline.leaves[self._view.selected_phase][LOGS]
        lines = [Line(log.line, log.stream) for log in logs.as_tuple(first, end)]
        if self._error and end > len(logs):
            tail = ["", *self._error]
            lines += [Line(text, "error") for text in tail[max(0, first - len(logs)) : end - len(logs)]]
        return lines

    @property
    def shift(self) -> int:
        """How many cells of each log line are to the left of the screen."""
        return self._view.log_column


def _cells(name: str) -> int:
    if name.isascii():
        return len(name)
    from milo.terminal.cells import width

    return width(name)
