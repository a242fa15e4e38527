"""The detail view of a run that goes on elsewhere: each batch of its actions moves an App that shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

from milo.action import Action
from milo.errors import StateError
from milo.pipeline import PHASE_LOG, PipelineState
from milo.pipeline.detail import PipelineViewState, make_detail_reducer
from milo.pipeline.view_state import changed, moved_on
from milo.store import Quit
from milo.terminal import KEY, App

__all__ = ["DetailView"]

_MOVED: Final = "@@RUN_MOVED"
_OVER: Final = "@@RUN_OVER"
_OUTCOME: Final = "@@RUN_OUTCOME"
_LEAVE: Final = "@@RUN_LEAVE"

_QUESTION: Final = "Cancel the run? y or q: cancel it; any other key: go on"
_CONFIRMS: Final = ("y", "Y", "q")

_keys_and_size = make_detail_reducer(lambda state, action: state)


class DetailView:
    """Shows a run on the terminal until somebody quits.

    It takes states as they are, so that the run's reducer does its work once, and whatever the run has done before
    is there as well.

    Args:
        state: The run before the first batch.
        color: Whether colour is shown; by default NO_COLOR, FORCE_COLOR and the terminal decide.
        asks: Whether quitting before the run is over has to be confirmed.
        closes: Whether the view ends with the run if nobody has pressed a key.
    """

    def __init__(
        self, state: PipelineState, *, color: bool | None = None, asks: bool = False, closes: bool = False
    ) -> None:
        self.state = state
        self.over = False
        self._asks = asks
        self._closes = closes
        self._touched = False
        self.app = App(
            "pipeline.kida", self._reduced, PipelineViewState(state), sagas=(self._begin,), color=color
        )
        self._shown: Callable[[], object] = lambda: None

    def show(self, shown: Callable[[], object] = lambda: None) -> None:
        """Show the run until the view is quit; see `App.run` for what that raises and how it treats signals.

        Args:
            shown: Called when the view has the screen, and whatever else is printed is kept from it.
        """
        self._shown = shown
        self.app.run()

    def _begin(self) -> Generator[Any, Any, None]:
        self._shown()
        yield from ()

    # What becomes of the run; from any thread, one at a time.

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        self.state = state
        self._tell(Action(_MOVED, (actions, state)))

    def close(self, state: PipelineState) -> None:
        """The run is over, with `state`."""
        self.state = state
        self._tell(Action(_OVER, state))
        self.over = True

    def set_outcome(self, outcome: str, message: str = "") -> None:
        """Say what came of a run that cannot say it any more; "" when it goes on after all."""
        self._tell(Action(_OUTCOME, (outcome, message)))

    def leave(self) -> None:
        """End the view, whatever the run does."""
        self._tell(Action(_LEAVE))

    def _tell(self, action: Action) -> None:
        # Once the view has been left its store takes nothing any more.
        with contextlib.suppress(StateError):
            self.app.store.dispatch(action)

    # How the App moves.

    def _reduced(self, view: Any, action: Action) -> Any:
        if action.type == _MOVED:
            actions, state = action.payload
            return moved_on(view, state, _lines_of(view, actions))
        if action.type == _OVER:
            view = changed(moved_on(view, action.payload, 0), message="")
            return Quit(view) if self._closes and not self._touched else view
        if action.type == _OUTCOME:
            return changed(view, outcome=action.payload[0], message=action.payload[1])
        if action.type == _LEAVE:
            return Quit(view)
        if action.type == KEY:
            return self._pressed(view, action)
        return _keys_and_size(view, action)

    def _pressed(self, view: PipelineViewState, action: Action) -> Any:
        key = action.payload
        if key.ctrl or key.alt:
            # The end of a script's input comes as Ctrl-D, and nobody may be there who could quit.
            return _keys_and_size(view, action)
        self._touched = True
        if view.message == _QUESTION:
            answered = changed(view, message="")
            return Quit(answered) if key.char in _CONFIRMS else answered
        view = changed(view, message="")
        result = _keys_and_size(view, action)
        if isinstance(result, Quit) and self._asks and not self.over:
            return changed(view, message=_QUESTION)
        return result


def _lines_of(view: PipelineViewState, actions: Sequence[Action]) -> int:
    """How many lines of the selected phase are among the actions."""
    names = view.pipeline.names
    if not 0 <= view.selected_phase < len(names):
        return 0
    name = names[view.selected_phase]
    return sum(action.type == PHASE_LOG and action.payload["name"] == name for action in actions)
