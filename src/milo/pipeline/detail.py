"""The detail view as pure code: what is selected, expanded, scrolled and filtered, and how keys change it.

With the list shown: up and down, Home and End, Page Up and Down select; Enter or Space expands; Escape clears
a filter, without one it quits. With logs shown: up and down scroll by a line, Page Up and Down by a page,
``g`` and Home to the top, and each ends following; ``G`` and End go to the bottom and follow again; ``f``
toggles following; Enter or Escape collapses. In both: ``/`` filters the phases, ``e`` goes to the next failed
one, ``q`` quits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from milo.action import Action
from milo.pipeline.state import LOGS, STATUS, Logs, PhaseStatus, PipelineState
from milo.store import Quit, Reducer, ReducerResult
from milo.terminal import KEY, RESIZE, Key, SpecialKey

__all__ = ["PipelineViewState", "make_detail_reducer"]

# The lines of the screen that are not logs: title, progress, the phase's own line, rules and the help line.
_ROWS_AROUND_LOGS: Final = 8


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
    """

    pipeline: PipelineState
    selected_phase: int = 0
    expanded: bool = False
    log_scroll: int = 0
    auto_follow: bool = True
    log_height: int = 10
    filter: str = ""
    filtering: bool = False

    @property
    def selected(self) -> PhaseStatus | None:
        """The selected phase; None when there is none or the filter hides it."""
        if not _is_listed(self, self.selected_phase):
            return None
        return self.pipeline.phase(self.pipeline.names[self.selected_phase])

    @property
    def listed(self) -> tuple[int, ...]:
        """The indices of the phases that the filter lets through, in declared order."""
        names = self.pipeline.names
        if not self.filter:
            return tuple(range(len(names)))
        wanted = self.filter.casefold()
        return tuple(index for index, name in enumerate(names) if wanted in name.casefold())


_Command: TypeAlias = Callable[[PipelineViewState], "PipelineViewState | Quit"]


def make_detail_reducer(reducer: Reducer) -> Reducer:
    """Wrap a pipeline's reducer with the keys of the detail view.

    Args:
        reducer: What ``pipeline.build_reducer()`` returned. It hears every action but keys, and what it
            returns beside its state (sagas, commands, the wish to quit) is passed on.

    Returns:
        A reducer of `PipelineViewState`. An action that changes nothing gives the very same object back.
    """

    def detail_reducer(state: PipelineViewState | PipelineState | None, action: Action) -> Any:
        if action.type == KEY and isinstance(state, PipelineViewState):
            return _pressed(state, action.payload)
        inner = reducer(state.pipeline if isinstance(state, PipelineViewState) else state, action)
        if isinstance(inner, ReducerResult):
            return ReducerResult(_looked_at(state, inner.state, action), inner.sagas, inner.cmds)
        if isinstance(inner, Quit):
            return Quit(_looked_at(state, inner.state, action), inner.code, inner.sagas, inner.cmds)
        return _looked_at(state, inner, action)

    return detail_reducer


def _looked_at(state: object, pipeline: PipelineState, action: Action) -> PipelineViewState:
    """The view of `pipeline` that follows `state` after `action`."""
    if not isinstance(state, PipelineViewState):
        return PipelineViewState(pipeline)
    view = state if pipeline is state.pipeline else _moved_on(state, pipeline)
    return _resized(view, action.payload) if action.type == RESIZE else view


def _moved_on(view: PipelineViewState, pipeline: PipelineState) -> PipelineViewState:
    """The view around a newer state. In the hot path: no phase is made, only lines are counted."""
    number = view.selected_phase
    before, after = _logs(view.pipeline, number), _logs(pipeline, number)
    scroll = view.log_scroll
    if view.auto_follow:
        scroll = max(0, len(after) - view.log_height)
    elif after is not before:
        # A full log loses a line at the top for each new one; what is being read stays in place.
        full = len(after) == len(before)
        scroll = max(0, min(scroll - full, len(after) - view.log_height))
    return PipelineViewState(
        pipeline,
        number,
        view.expanded,
        scroll,
        view.auto_follow,
        view.log_height,
        view.filter,
        view.filtering,
    )


def _resized(view: PipelineViewState, size: object) -> PipelineViewState:
    rows = size.get("rows", size.get("height")) if isinstance(size, Mapping) else None
    if not isinstance(rows, int):
        return view
    return _changed(view, log_height=max(1, rows - _ROWS_AROUND_LOGS))


def _changed(view: PipelineViewState, **changes: Any) -> PipelineViewState:
    """The view with `changes`, scrolled to where there are lines; the same object when nothing differs."""
    changed = replace(view, **changes)
    bottom = _bottom(changed)
    scroll = bottom if changed.auto_follow else max(0, min(changed.log_scroll, bottom))
    if scroll != changed.log_scroll:
        changed = replace(changed, log_scroll=scroll)
    return view if changed == view else changed


def _logs(pipeline: PipelineState, number: int) -> Logs | tuple[()]:
    leaves = pipeline.leaves
    logs: Logs | tuple[()] = leaves[number][LOGS] if 0 <= number < len(leaves) else ()
    return logs


def _bottom(view: PipelineViewState) -> int:
    return max(0, len(_logs(view.pipeline, view.selected_phase)) - view.log_height)


def _is_listed(view: PipelineViewState, number: int) -> bool:
    names = view.pipeline.names
    return 0 <= number < len(names) and view.filter.casefold() in names[number].casefold()


# --- keys ---


def _pressed(view: PipelineViewState, key: object) -> PipelineViewState | Quit:
    """What a key does. With Control or Alt held it means nothing here and is the application's."""
    if not isinstance(key, Key) or key.ctrl or key.alt:
        return view
    pressed = key.name or (key.char.upper() if key.shift else key.char)
    if view.filtering:
        command = _FILTERING.get(pressed)
        return command(view) if command else _typed(view, key.char)
    command = (_EXPANDED if view.expanded else _COLLAPSED).get(pressed)
    return command(view) if command else view


def _quit(view: PipelineViewState) -> Quit:
    return Quit(view)


def _select(view: PipelineViewState, number: int) -> PipelineViewState:
    if number == view.selected_phase:
        return view
    return _changed(view, selected_phase=number, log_scroll=0)


def _selects_by(step: Callable[[PipelineViewState], int]) -> _Command:
    """Select the listed phase that is as many places further on, or the outermost one in that direction."""

    def command(view: PipelineViewState) -> PipelineViewState:
        listed, by = view.listed, step(view)
        if not listed:
            return view
        here = sum(number < view.selected_phase for number in listed)
        if by > 0 and not _is_listed(view, view.selected_phase):
            here -= 1
        return _select(view, listed[max(0, min(here + by, len(listed) - 1))])

    return command


def _expand(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, expanded=True) if _is_listed(view, view.selected_phase) else view


def _collapse(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, expanded=False)


def _clear_filter_or_quit(view: PipelineViewState) -> PipelineViewState | Quit:
    return _changed(view, filter="") if view.filter else Quit(view)


def _next_failed(view: PipelineViewState) -> PipelineViewState:
    """Select the next listed phase that failed, from the top again after the last."""
    leaves = view.pipeline.leaves
    failed = [number for number in view.listed if leaves[number][STATUS] == "failed"]
    if not failed:
        return view
    return _select(view, next((number for number in failed if number > view.selected_phase), failed[0]))


def _scrolls_by(step: Callable[[PipelineViewState], int]) -> _Command:
    def command(view: PipelineViewState) -> PipelineViewState:
        return _changed(view, log_scroll=view.log_scroll + step(view), auto_follow=False)

    return command


def _to_top(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, log_scroll=0, auto_follow=False)


def _to_bottom(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, auto_follow=True)


def _toggle_following(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, auto_follow=not view.auto_follow)


def _start_filtering(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, filtering=True, expanded=False)


def _accept_filter(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, filtering=False)


def _drop_filter(view: PipelineViewState) -> PipelineViewState:
    return _changed(view, filtering=False, filter="")


def _typed(view: PipelineViewState, char: str) -> PipelineViewState:
    return _narrowed(view, view.filter + char) if char and char.isprintable() else view


def _erase(view: PipelineViewState) -> PipelineViewState:
    return _narrowed(view, view.filter[:-1]) if view.filter else _accept_filter(view)


def _narrowed(view: PipelineViewState, text: str) -> PipelineViewState:
    """The view with the filter `text`; the selection moves to the nearest phase that is listed."""
    view = _changed(view, filter=text)
    listed = view.listed
    if not listed:
        return view
    return _select(view, next((number for number in listed if number >= view.selected_phase), listed[0]))


_UP: Final = _selects_by(lambda view: -1)
_DOWN: Final = _selects_by(lambda view: 1)

_ALWAYS: Final[dict[SpecialKey | str, _Command]] = {"q": _quit, "/": _start_filtering, "e": _next_failed}

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
