"""The state of the detail view: a run, how somebody looks at it, and what keeps that look where there is something."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from milo.pipeline.state import LOGS, STATUS, Leaf, Logs, PhaseStatus, PipelineState

if TYPE_CHECKING:
    from milo.pipeline.picture import Picture

__all__ = ["PipelineViewState", "body_height", "bottom", "changed", "error_lines", "moved_on"]

# The lines of the screen around the list or the logs: title, phase or numbers, two rules and the keys. A low screen
# has only a title and the keys.
_ROWS_AROUND: Final = 5
_FEW_ROWS_AROUND: Final = 2
_LOW_SCREEN: Final = 12

_WITH_ERROR: Final = frozenset({"failed", "retrying", "skipped"})


@dataclass(frozen=True, slots=True)
class PipelineViewState:
    """A run and how somebody looks at it.

    Args:
        pipeline: The run as it stands.
        selected_phase: The index of the selected phase among all phases, whatever the filter hides.
        expanded: Whether the logs of the selected phase are shown instead of the list.
        log_scroll: The index of the first log line on the screen.
        auto_follow: Whether the last log lines stay on the screen as more arrive.
        log_height: How many log lines fit on the screen.
        filter: Only phases whose name contains this, in upper or lower case, are listed.
        filtering: Whether typed characters go into the filter.
        list_scroll: How many listed phases are above the screen.
        log_column: How many cells of each log line are to the left of the screen.
        columns: The cells in a line of the screen; 0 until that is known.
        rows: The lines of the screen; 0 until that is known.
        message: Stands in place of the keys: a question, or news.
        outcome: The status of a run that cannot say it any more, such as "interrupted"; "" where it says it itself.
    """

    pipeline: PipelineState
    selected_phase: int = 0
    expanded: bool = False
    log_scroll: int = 0
    auto_follow: bool = True
    log_height: int = 10
    filter: str = ""
    filtering: bool = False
    list_scroll: int = 0
    log_column: int = 0
    columns: int = 0
    rows: int = 0
    message: str = ""
    outcome: str = ""

    @property
    def selected(self) -> PhaseStatus | None:
        """The selected phase; None when there is none or the filter hides it."""
        if not is_listed(self, self.selected_phase):
            return None
        return self.pipeline.phase(self.pipeline.names[self.selected_phase])

    @property
    def listed(self) -> Sequence[int]:
        """The indices of the phases that the filter lets through, in declared order."""
        names = self.pipeline.names
        if not self.filter:
            return range(len(names))
        wanted = self.filter.casefold()
        return tuple(index for index, name in enumerate(names) if wanted in name.casefold())

    def picture(self, columns: int, rows: int, now: Callable[[], float] | None = None) -> Picture:
        """What a screen of that size shows, in words and numbers for a template.

        Args:
            columns: The cells in a line.
            rows: The lines; 0 where everything is to be listed.
            now: Monotonic seconds, asked only while something runs; without it times stand still between actions.
        """
        from milo.pipeline.picture import Picture

        return Picture(self, columns, rows, now)


def is_listed(view: PipelineViewState, number: int) -> bool:
    """Whether there is a phase of that number and the filter lets it through."""
    names = view.pipeline.names
    return 0 <= number < len(names) and view.filter.casefold() in names[number].casefold()


def body_height(rows: int) -> int:
    """How many lines a screen has for the list or the logs."""
    return max(1, rows - (_FEW_ROWS_AROUND if rows < _LOW_SCREEN else _ROWS_AROUND))


def moved_on(view: PipelineViewState, pipeline: PipelineState, lines: int = 1) -> PipelineViewState:
    """The view around a newer state of the run. In the hot path: no phase is made, only lines are counted.

    Args:
        view: The view so far.
        pipeline: The newer state.
        lines: How many lines the selected phase has written in between, if it has written any.
    """
    number = view.selected_phase
    before, after = _leaf(view.pipeline, number), _leaf(pipeline, number)
    scroll = view.log_scroll
    if after is not before:
        last = max(0, _length(after, view.columns) - view.log_height)
        if view.auto_follow:
            scroll = last
        elif before is not None and after is not None and before[LOGS] is not after[LOGS]:
            # A full log loses a line at the top for each new one; what is being read stays in place.
            lost = max(0, len(before[LOGS]) + lines - len(after[LOGS]))
            scroll = max(0, min(scroll - lost, last))
        else:
            scroll = min(scroll, last)
    return PipelineViewState(
        pipeline,
        number,
        view.expanded,
        scroll,
        view.auto_follow,
        view.log_height,
        view.filter,
        view.filtering,
        view.list_scroll,
        view.log_column,
        view.columns,
        view.rows,
        view.message,
        view.outcome,
    )


def changed(view: PipelineViewState, **changes: Any) -> PipelineViewState:
    """The view with `changes`, scrolled to where there is something; the same object when nothing differs."""
    new = replace(view, **changes)
    last = bottom(new)
    scroll = last if new.auto_follow else max(0, min(new.log_scroll, last))
    above = _list_scroll(new)
    if scroll != new.log_scroll or above != new.list_scroll:
        new = replace(new, log_scroll=scroll, list_scroll=above)
    return view if new == view else new


def bottom(view: PipelineViewState) -> int:
    """The index of the first line on the screen when the last one is on it."""
    return max(0, _length(_leaf(view.pipeline, view.selected_phase), view.columns) - view.log_height)


def error_lines(leaf: Leaf, columns: int) -> tuple[str, ...]:
    """The error of a phase as lines of at most `columns` cells, to be shown below its logs."""
    if not columns or not leaf[3] or leaf[STATUS] not in _WITH_ERROR:
        return ()
    return _broken(leaf[3], columns)


@lru_cache(maxsize=16)
def _broken(error: str, columns: int) -> tuple[str, ...]:
    # What measures cells is loaded with the first error that is shown, not with every import of pipelines.
    from milo.terminal.cells import break_lines

    return tuple(break_lines(error, columns))


def _length(leaf: Leaf | None, columns: int) -> int:
    """How many lines there are to scroll: the logs, and below them the error after a line of its own."""
    if leaf is None:
        return 0
    logs: Logs = leaf[LOGS]
    error = error_lines(leaf, columns)
    return len(logs) + len(error) + bool(error)


def _leaf(pipeline: PipelineState, number: int) -> Leaf | None:
    leaves = pipeline.leaves
    return leaves[number] if 0 <= number < len(leaves) else None


def _list_scroll(view: PipelineViewState) -> int:
    """How far to scroll the list, no more than needed, for the selected phase to be on the screen."""
    listed = view.listed
    place = bisect_left(listed, view.selected_phase)
    above = max(min(view.list_scroll, place), place - view.log_height + 1)
    return max(0, min(above, len(listed) - view.log_height))
