"""Store: one observable state, changed by actions alone, in one order for everybody."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import Any, Self

from milo.action import INIT, Action
from milo.clock import Clock, SystemClock
from milo.errors import StateError
from milo.execution import ThreadWorkers, default_workers
from milo.log import log
from milo.saga.effects import SagaSource
from milo.saga.ports import Executor
from milo.saga.runner import SagaRunner
from milo.saga.task import SagaTask
from milo.store.commands import run_command
from milo.store.results import Quit, ReducerResult
from milo.store.turn import Turn
from milo.store.types import Dispatch, Listener, Middleware, Reducer

__all__ = ["Store"]


class Store:
    """Holds a state, applies actions to it and runs sagas on it.

    Thread-safe. Middleware, reducer and listeners of one action run before those of the next, whatever threads
    dispatch. A dispatch from middleware or a listener is applied after the current action and before the outer
    dispatch returns.

    Args:
        reducer: ``(state, action) -> state``, pure; may also return ReducerResult or Quit.
        initial_state: Kept as it is when given; with None the reducer's answer to ``@@INIT`` is the first state.
        middleware: Each ``(next_dispatch, get_state) -> dispatch``, the first one outermost.
        max_workers: How many Calls run at once; ``max(2, usable processors)`` by default.
        clock: Where time comes from; the system's by default.
        executor: Where Calls run; threads of the store's own by default. One that is given is closed as well.
        context: The context variables that Calls see; a copy of the caller's by default.

    Raises:
        StateError: The reducer is not callable, or failed on ``@@INIT``.
    """

    def __init__(
        self,
        reducer: Reducer,
        initial_state: Any = None,
        middleware: Iterable[Middleware] = (),
        *,
        max_workers: int | None = None,
        clock: Clock | None = None,
        executor: Executor | None = None,
        context: Context | None = None,
    ) -> None:
        if not callable(reducer):
            raise StateError(
                f"A reducer must be callable, got {reducer!r}.", hint="Pass (state, action) -> state."
            )
        if max_workers is not None and (
            isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1
        ):
            raise StateError(f"max_workers must be a whole number of at least 1, got {max_workers!r}.")
        layers = _layers(middleware)
        self._reducer = reducer
        self._state = initial_state
        self._listeners: tuple[Listener, ...] = ()
        self._subscribing = threading.Lock()
        self._reducing = False
        self._closed = False
        self._quit: Quit | None = None
        self._clock = clock if clock is not None else SystemClock()
        self._runner = SagaRunner(
            self.dispatch,
            self.post,
            self.get_state,
            self._clock,
            executor if executor is not None else ThreadWorkers(max_workers or default_workers()),
            context=context,
        )
        self._hear = self._runner.hear
        chain: Dispatch = self._reduce
        for wrap in reversed(layers):
            chain = wrap(chain, self.get_state)
        self._turn = Turn(chain, self._report)
        self.dispatch(Action(INIT))

    # The state.

    def get_state(self) -> Any:
        """The state after the last action that was applied."""
        return self._state

    @property
    def state(self) -> Any:
        """The same as `get_state()`."""
        return self._state

    @property
    def quit_requested(self) -> bool:
        """Whether a reducer has returned Quit."""
        return self._quit is not None

    @property
    def exit_code(self) -> int:
        """The exit status that Quit asked for; 0 until then."""
        return self._quit.code if self._quit is not None else 0

    def subscribe(self, listener: Listener) -> Listener:
        """Call `listener()` after every action; returns the function that ends this.

        A listener that raises is reported to the logger "milo", and the others still hear.
        """
        if not callable(listener):
            raise StateError(f"A listener must be callable, got {listener!r}.")
        # A fresh partial: a function that is subscribed twice is called twice, and each ends by itself.
        entry = partial(listener)
        with self._subscribing:
            self._listeners = (*self._listeners, entry)

        def unsubscribe() -> None:
            with self._subscribing:
                self._listeners = tuple([each for each in self._listeners if each is not entry])

        return unsubscribe

    # Actions.

    def dispatch(self, action: Action) -> None:
        """Apply `action`: when this returns, middleware, reducer and listeners have run.

        Raises:
            StateError: Not an Action; called from inside a reducer; the store was shut down; the reducer failed,
                in which case the state is as before.
        """
        if action.__class__ is not Action or self._reducing or self._closed:
            self._check(action)
        self._turn.do(action)
        if self._runner.inbox:
            self._runner.poke()

    def post(self, action: Action) -> None:
        """Apply `action` soon, in its order, perhaps on another thread; its errors are logged. For streams of lines."""
        if action.__class__ is not Action or self._reducing or self._closed:
            self._check(action)
        self._turn.post(action)
        if self._runner.inbox:
            self._runner.poke()

    def _check(self, action: Action) -> None:
        """Refuse what cannot be dispatched, or not now."""
        if not isinstance(action, Action):
            raise StateError(
                f"Only actions can be dispatched, got {action!r}.", hint="Make an Action(type, payload)."
            )
        if self._closed:
            raise StateError(
                f"The store was shut down; {action.type} comes too late.", hint="Make a new Store."
            )
        if self._reducing and self._turn.mine():
            raise StateError(
                f"A reducer dispatched {action.type}: reducers only compute the next state.",
                hint="Return a ReducerResult with a saga or a command instead.",
            )

    def _reduce(self, action: Action) -> None:
        self._reducing = True
        try:
            result = self._reducer(self._state, action)
        except Exception as error:
            raise StateError(
                f"The reducer failed on {action.type}: {type(error).__name__}: {error}",
                hint="The state is as it was before.",
            ) from error
        finally:
            self._reducing = False
        # Raised when everybody has heard: the state has changed by then.
        failure: BaseException | None = None
        kind = result.__class__
        if kind is ReducerResult or kind is Quit:
            self._state = result.state
            failure = self._start(result, action)
        else:
            self._state = result
        for listener in self._listeners:
            try:
                listener()
            except Exception:  # noqa: BLE001 - a broken listener never hurts the others
                log.exception("A listener of the store failed on %s; the others still hear", action.type)
            except BaseException as raised:  # noqa: BLE001 - likewise, but it is for whoever dispatched
                failure = raised
        self._hear(action)
        if failure is not None:
            raise failure

    def _start(self, result: ReducerResult | Quit, action: Action) -> StateError | None:
        """Start what the reducer asked for; returns what to tell the dispatcher if something of it cannot be."""
        if isinstance(result, Quit):
            self._quit = result
        failure: StateError | None = None
        for source in (*result.sagas, *[run_command(command) for command in result.cmds]):
            try:
                self._runner.start(source)
            except Exception as error:  # noqa: BLE001 - the rest is started, and the dispatcher told
                failure = StateError(
                    f"A saga that the reducer returned on {action.type} could not be started: {error}",
                    hint="The state has changed, and everything else was started.",
                )
                failure.__cause__ = error
        return failure

    def _report(self, action: Action, error: BaseException) -> None:
        log.error("The store could not apply %s", action.type, exc_info=error)

    # Sagas.

    def run_saga(self, saga: SagaSource) -> SagaTask:
        """Start a saga, a generator or a callable that returns one; returns its task at once."""
        return self._runner.start(saga)

    def shutdown(self) -> None:
        """Cancel all sagas and let their cleanup begin; do not wait for handlers. May be called again."""
        if self._closed:
            return
        if self._turn.mine():
            raise StateError(
                "A listener, middleware or reducer cannot shut its store down while it is in its turn."
            )
        self._runner.close()
        self._closed = True
        self._runner.executor.close()
        self._clock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()


def _layers(middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    if not isinstance(middleware, Iterable):
        raise StateError(f"middleware must be a list or tuple of functions, got {middleware!r}.")
    layers = tuple(middleware)
    for layer in layers:
        if not callable(layer):
            raise StateError(
                f"A middleware must be callable, got {layer!r}.",
                hint="Pass (next_dispatch, get_state) -> dispatch.",
            )
    return layers
