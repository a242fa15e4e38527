"""The outbox: takes a run's actions out of the store's turn and tells observers of them, in batches and in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from milo.action import INIT, Action
from milo.log import log
from milo.pipeline import PipelineState
from milo.store import Dispatch, GetState, Middleware

__all__ = ["Ledger", "Outbox", "View"]


class View(Protocol):
    """Something outside the process's heart that shows a run."""

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        """Take every action in the order of the store, in batches, and the state after the last of a batch."""

    def close(self, state: PipelineState) -> None:
        """The run has ended with `state`."""


class Ledger(Protocol):
    """Where actions are recorded before anyone outside hears of them."""

    def snapshot(self, action: Action) -> None:
        """Take of an action what may change later; called in the store's turn."""

    def record(self, actions: Sequence[Action]) -> bool:
        """Make actions durable; returns whether they may be told of."""

    def finish(self, state: PipelineState) -> PipelineState:
        """Note what the run came to; returns that state, or the one to tell of where it could not be recorded."""


class Outbox:
    """Between the store and whoever watches.

    The store's turn only appends; one daemon thread takes what is there as a batch, has it recorded, and tells the
    views and `on_state`. However slow a view is, the run does not wait for it before its end.

    Args:
        views: Told of every action.
        on_state: Told of the latest state of each batch.
        ledger: Where each batch is recorded first; None where nothing is.
    """

    def __init__(
        self,
        views: Iterable[View],
        on_state: Callable[[PipelineState], object] | None,
        ledger: Ledger | None = None,
    ) -> None:
        self._views = list(views)
        self._ledger = ledger
        self._patient = bool(self._views) or ledger is not None
        if on_state is not None:
            self._views.append(_StateView(on_state))
        self._lock = threading.Lock()  # guards what follows
        self._batch: list[Action] = []
        self._state: PipelineState | None = None
        self._thread: threading.Thread | None = None
        self._news = threading.Event()
        self._closing = False
        self._told = threading.Event()

    @property
    def middlewares(self) -> tuple[Middleware, ...]:
        """What the store has to have so that the outbox hears; nothing when nobody watches."""
        return (self._middleware,) if self._views or self._ledger is not None else ()

    def _middleware(self, next_dispatch: Dispatch, get_state: GetState) -> Dispatch:
        """The store's side: notes each action with the state it led to."""

        snapshot = self._ledger.snapshot if self._ledger is not None else None

        def dispatch(action: Action) -> Any:
            result = next_dispatch(action)
            if action.type != INIT:
                if snapshot is not None:
                    snapshot(action)
                with self._lock:
                    self._batch.append(action)
                    self._state = get_state()
                if not self._news.is_set():
                    self._wake()
            return result

        return dispatch

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="milo-outbox", daemon=True)
                self._thread.start()
        self._news.set()

    def close(self, state: PipelineState, grace: float) -> None:
        """Tell what is left and then the end, `state`.

        Views are waited for, so that nothing they were to write is lost; `on_state` alone for `grace` seconds at most.
        """
        if not self.middlewares:
            return
        with self._lock:
            self._state = state
            self._closing = True
        self._wake()
        if not self._told.wait(None if self._patient else grace):
            log.warning("on_state has not kept up for %s s and is left behind", grace)

    def _serve(self) -> None:
        while True:
            self._news.wait()
            # Before the look: what comes after it sets the event again.
            self._news.clear()
            with self._lock:
                actions, self._batch = self._batch, []
                state, closing = self._state, self._closing
            if state is None:
                continue
            if actions and (self._ledger is None or self._ledger.record(actions)):
                self._tell(actions, state)
            if closing:
                break
        if self._ledger is not None:
            state = self._ledger.finish(state)
        for view in list(self._views):
            self._try(view, view.close, state)
        self._told.set()

    def _tell(self, actions: Sequence[Action], state: PipelineState) -> None:
        for view in list(self._views):
            self._try(view, view.on_actions, actions, state)

    def _try(self, view: View, tell: Callable[..., None], *args: Any) -> None:
        try:
            tell(*args)
        except BaseException:  # noqa: BLE001 - a broken view never hurts the run, nor this thread
            log.exception("%r failed and is told no more; the run goes on", view)
            if view in self._views:
                self._views.remove(view)


class _StateView:
    """`on_state` as a view: the latest state of each batch, and the last one for certain."""

    def __init__(self, on_state: Callable[[PipelineState], object]) -> None:
        self._on_state = on_state
        self._last: PipelineState | None = None
        self._broken = False

    def __repr__(self) -> str:
        return f"on_state={self._on_state!r}"

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        self._last = state
        self._tell(state)

    def close(self, state: PipelineState) -> None:
        if state is not self._last:
            self._tell(state)

    def _tell(self, state: PipelineState) -> None:
        try:
            self._on_state(state)
        except BaseException:  # noqa: BLE001 - a broken one never hurts the run; it may do better with the next state
            if not self._broken:
                log.exception("%r failed; it is still told of later states, and the run goes on", self)
            self._broken = True
