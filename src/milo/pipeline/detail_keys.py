"""The keys of the detail view: what each of them does to how a run is looked at.

With the list shown: up and down, Home and End, Page Up and Down select; Enter or Space expands; Escape clears
a filter, without one it quits. With logs shown: up and down scroll by a line, Page Up and Down by a page,
``g`` and Home to the top, and each ends following; ``G`` and End go to the bottom and follow again; ``f``
toggles following; left and right show other parts of long lines; Enter or Escape collapses. In both: ``/`` filters
the phases, ``e`` goes to the next failed one and ``r`` to the next that runs, ``q`` quits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, TypeAlias

from milo.pipeline.state import STATUS
from milo.pipeline.view_state import PipelineViewState, changed, is_listed
from milo.store import Quit
from milo.terminal.keys import Key, SpecialKey

__all__ = ["pressed"]

_SIDEWAYS: Final = 20
_MOST_SIDEWAYS: Final = 10_000

_Command: TypeAlias = Callable[[PipelineViewState], "PipelineViewState | Quit"]


def pressed(view: PipelineViewState, key: object) -> PipelineViewState | Quit:
    """What a key does. With Control or Alt held it means nothing here and is the application's."""
    if not isinstance(key, Key) or key.ctrl or key.alt:
        return view
    name = key.name or (key.char.upper() if key.shift else key.char)
    if view.filtering:
        command = _FILTERING.get(name)
        return command(view) if command else _typed(view, key.char)
    command = (_EXPANDED if view.expanded else _COLLAPSED).get(name)
    return command(view) if command else view


def _quit(view: PipelineViewState) -> Quit:
    return Quit(view)


def _select(view: PipelineViewState, number: int) -> PipelineViewState:
    if number == view.selected_phase:
        return view
    return changed(view, selected_phase=number, log_scroll=0, log_column=0, auto_follow=True)


def _selects_by(step: Callable[[PipelineViewState], int]) -> _Command:
    """Select the listed phase that is as many places further on, or the outermost one in that direction."""

    def command(view: PipelineViewState) -> PipelineViewState:
        listed, by = view.listed, step(view)
        if not listed:
            return view
        here = bisect_left(listed, view.selected_phase)
        if by > 0 and not is_listed(view, view.selected_phase):
            here -= 1
        return _select(view, listed[max(0, min(here + by, len(listed) - 1))])

    return command


def _expand(view: PipelineViewState) -> PipelineViewState:
    return changed(view, expanded=True) if is_listed(view, view.selected_phase) else view


def _collapse(view: PipelineViewState) -> PipelineViewState:
    return changed(view, expanded=False)


def _clear_filter_or_quit(view: PipelineViewState) -> PipelineViewState | Quit:
    return changed(view, filter="") if view.filter else Quit(view)


def _selects_next(*statuses: str) -> _Command:
    """Select the next listed phase in one of these states, from the top again after the last."""

    def command(view: PipelineViewState) -> PipelineViewState:
        leaves = view.pipeline.leaves
        found = [number for number in view.listed if leaves[number][STATUS] in statuses]
        if not found:
            return view
        return _select(view, next((number for number in found if number > view.selected_phase), found[0]))

    return command


def _scrolls_by(step: Callable[[PipelineViewState], int]) -> _Command:
    def command(view: PipelineViewState) -> PipelineViewState:
        return changed(view, log_scroll=view.log_scroll + step(view), auto_follow=False)

    return command


def _shifts_by(cells: int) -> _Command:
    """Show what of long lines is further to the right, or to the left."""

    def command(view: PipelineViewState) -> PipelineViewState:
        return changed(view, log_column=max(0, min(view.log_column + cells, _MOST_SIDEWAYS)))

    return command


def _to_top(view: PipelineViewState) -> PipelineViewState:
    return changed(view, log_scroll=0, auto_follow=False)


def _to_bottom(view: PipelineViewState) -> PipelineViewState:
    return changed(view, auto_follow=True)


def _toggle_following(view: PipelineViewState) -> PipelineViewState:
    return changed(view, auto_follow=not view.auto_follow)


def _start_filtering(view: PipelineViewState) -> PipelineViewState:
    return changed(view, filtering=True, expanded=False)


def _accept_filter(view: PipelineViewState) -> PipelineViewState:
    return changed(view, filtering=False)


def _drop_filter(view: PipelineViewState) -> PipelineViewState:
    return changed(view, filtering=False, filter="")


def _typed(view: PipelineViewState, char: str) -> PipelineViewState:
    return _narrowed(view, view.filter + char) if char and char.isprintable() else view


def _erase(view: PipelineViewState) -> PipelineViewState:
    return _narrowed(view, view.filter[:-1]) if view.filter else _accept_filter(view)


def _narrowed(view: PipelineViewState, text: str) -> PipelineViewState:
    """The view with the filter `text`; the selection moves to the nearest phase that is listed."""
    view = changed(view, filter=text)
    listed = view.listed
    if not listed:
        return view
    return _select(view, next((number for number in listed if number >= view.selected_phase), listed[0]))


_UP: Final = _selects_by(lambda view: -1)
_DOWN: Final = _selects_by(lambda view: 1)

_ALWAYS: Final[dict[SpecialKey | str, _Command]] = {
    "q": _quit,
    "/": _start_filtering,
    "e": _selects_next("failed"),
    "r": _selects_next("running", "retrying"),
}

_COLLAPSED: Final[dict[SpecialKey | str, _Command]] = {
    **_ALWAYS,
    SpecialKey.UP: _UP,
    SpecialKey.DOWN: _DOWN,
    SpecialKey.HOME: _selects_by(lambda view: -len(view.listed)),
    SpecialKey.END: _selects_by(lambda view: len(view.listed)),
    SpecialKey.PAGE_UP: _selects_by(lambda view: -view.log_height),
    SpecialKey.PAGE_DOWN: _selects_by(lambda view: view.log_height),
    SpecialKey.ENTER: _expand,
    " ": _expand,
    SpecialKey.ESCAPE: _clear_filter_or_quit,
}

_EXPANDED: Final[dict[SpecialKey | str, _Command]] = {
    **_ALWAYS,
    SpecialKey.UP: _scrolls_by(lambda view: -1),
    SpecialKey.DOWN: _scrolls_by(lambda view: 1),
    SpecialKey.HOME: _to_top,
    SpecialKey.END: _to_bottom,
    SpecialKey.PAGE_UP: _scrolls_by(lambda view: -view.log_height),
    SpecialKey.PAGE_DOWN: _scrolls_by(lambda view: view.log_height),
    SpecialKey.LEFT: _shifts_by(-_SIDEWAYS),
    SpecialKey.RIGHT: _shifts_by(_SIDEWAYS),
    "g": _to_top,
    "G": _to_bottom,
    "f": _toggle_following,
    SpecialKey.ENTER: _collapse,
    SpecialKey.ESCAPE: _collapse,
}

_FILTERING: Final[dict[SpecialKey | str, _Command]] = {
    SpecialKey.ENTER: _accept_filter,
    SpecialKey.ESCAPE: _drop_filter,
    SpecialKey.BACKSPACE: _erase,
    SpecialKey.UP: _UP,
    SpecialKey.DOWN: _DOWN,
}
