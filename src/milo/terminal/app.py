"""App: a store, a template and a terminal put together into a program with a screen."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milo.action import SAGA_ERROR, Action
from milo.clock import Clock, SystemClock
from milo.errors import StateError
from milo.saga.effects import SagaSource
from milo.store import Middleware, Reducer, Store
from milo.terminal.keys import KEY
from milo.terminal.view import View
from milo.terminal.work import WorkStore

if TYPE_CHECKING:
    from milo.terminal.loop import Loop

__all__ = ["App"]


class App:
    """A program with a screen: keys become actions, a reducer makes states of them, a template shows them.

    The store is there at once, so that sagas can be run on it before and while the screen is up. Keys come as
    ``@@KEY`` with a `Key`, the size of the screen as ``@@RESIZE`` with ``{"columns", "rows"}``, first of all and
    whenever it changes. A reducer that returns `Quit` ends the App.

    A template sees ``state``, ``columns``, ``rows``, ``tty`` (whether it is drawn on a terminal) and ``now(every)``:
    the store's monotonic seconds, and the wish to be drawn again after `every` seconds though nothing changed.

    Args:
        template: The name of a template, the Path of one, or the text of one (it holds ``{{``, ``{%`` or a line break).
        reducer: ``(state, action) -> state``, pure; may also return ReducerResult or Quit.
        initial_state: Kept as it is when given; with None the reducer's answer to ``@@INIT`` is the first state.
        sagas: Started when the App runs, cancelled when it ends.
        templates: A folder of templates, or several, where names are looked up before milo's own.
        engine: The language of the template, "jinja" or "kida".
        middleware: For the store.
        max_workers: How many Calls of sagas run at once.
        clock: Where time comes from.
        color: Whether colour is shown; by default NO_COLOR, FORCE_COLOR and the terminal decide.
        grace: Seconds that the end waits at most for sagas to clean up.

    Raises:
        TemplateError: There is no such template, or it cannot be parsed.
        StateError: Another argument is refused, or the reducer failed on ``@@INIT``.
    """

    def __init__(
        self,
        template: str | Path,
        reducer: Reducer,
        initial_state: Any = None,
        *,
        sagas: Iterable[SagaSource] = (),
        templates: str | Path | Iterable[str | Path] | None = None,
        engine: str = "jinja",
        middleware: Iterable[Middleware] = (),
        max_workers: int | None = None,
        clock: Clock | None = None,
        color: bool | None = None,
        grace: float = 5.0,
    ) -> None:
        if not callable(reducer):
            raise StateError(
                f"A reducer must be callable, got {reducer!r}.", hint="Pass (state, action) -> state."
            )
        clock = clock if clock is not None else SystemClock()
        self._view = View(template, templates, engine, clock.now, color)
        self._sagas = tuple(sagas)
        self._grace = grace
        self._key_was_taken = False
        self._failure: BaseException | None = None
        self._news = threading.Event()
        self._loop: Loop | None = None
        self._has_run = False
        self._store = WorkStore(
            self._watched(reducer), initial_state, middleware, max_workers=max_workers, clock=clock
        )

    @property
    def store(self) -> Store:
        """The store: dispatch to it, subscribe to it, run sagas on it."""
        return self._store

    @property
    def exit_code(self) -> int:
        """The exit status that Quit asked for; 0 until then."""
        return self._store.exit_code

    def run(self) -> Any:
        """Show the App until it quits, and return the final state.

        The terminal is as it was when this returns or raises, also after a signal, which then does what it would have
        done without the App. Where stdout is no terminal nothing can be pressed: this waits for the sagas that were
        started, or for Quit, and writes the picture of the final state once.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, and the reducer left the key alone or it was pressed twice.
            TemplateError: The template failed.
            StateError: The reducer failed, the App has run before, or an event loop runs in this thread.
            BaseException: What ended a saga, if the reducer leaves ``@@SAGA_ERROR`` alone.
        """
        import asyncio

        from milo.terminal.console import is_terminal

        if _in_event_loop():
            raise StateError(
                "App.run() would block the event loop that runs in this thread.",
                hint="Use `await app.arun()` instead.",
            )
        self._begin()
        if not is_terminal(sys.stdout):
            return self._run_without_terminal()
        number = None
        try:
            with self._on_terminal() as loop:
                number = asyncio.run(loop.run())
        finally:
            self._store.end(self._grace)
        return self._ended_by(number)

    async def arun(self) -> Any:
        """Like `run`, for asyncio programs; cancelling the task ends the App."""
        import asyncio

        from milo.terminal.console import is_terminal

        self._begin()
        if not is_terminal(sys.stdout):
            return await asyncio.to_thread(self._run_without_terminal)
        number = None
        try:
            with self._on_terminal() as loop:
                number = await loop.run()
        finally:
            await asyncio.to_thread(self._store.end, self._grace)
        return self._ended_by(number)

    def render(self, columns: int = 80, rows: int = 24, *, color: bool = False) -> str:
        """The picture of the present state as text, as on a screen of that size; for tests.

        Args:
            columns: Cells in a line.
            rows: Lines.
            color: Whether colour sequences stay in it.
        """
        return self._view.frame(self._store.state, columns, rows, color=color)

    # The steps of a run.

    def _begin(self) -> None:
        if self._has_run:
            raise StateError("This App has run already.", hint="Make a new one.")
        self._has_run = True
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _on_terminal(self) -> Iterator[Loop]:
        """Take the terminal, and give it back whatever happens; what struck meanwhile is heard afterwards."""
        from milo.terminal.console import SystemConsole
        from milo.terminal.loop import Loop
        from milo.terminal.relay import SignalRelay
        from milo.terminal.stray import keeping_stray_output

        relay = SignalRelay()
        with ExitStack() as stack:
            stack.enter_context(relay.listening())
            console = SystemConsole(sys.stdin, sys.stdout)
            stack.callback(console.close)
            stack.enter_context(keeping_stray_output())
            stack.callback(console.leave)
            console.enter()
            self._loop = Loop(
                self._store,
                self._draw,
                console,
                relay,
                begin=self._start_sagas,
                key_was_taken=lambda: self._key_was_taken,
            )
            yield self._loop
        relay.pass_on()

    def _run_without_terminal(self) -> Any:
        news, store = self._news, self._store
        unsubscribe = store.subscribe(lambda: news.set() if store.quit_requested else None)
        try:
            self._start_sagas()
            while store.tasks and not store.quit_requested and self._failure is None:
                news.wait()
                news.clear()
        finally:
            unsubscribe()
            store.end(self._grace)
        if self._failure is not None:
            raise self._failure
        size = shutil.get_terminal_size()
        self._view.write_once(store.state, size.columns, size.lines)
        return store.state

    def _start_sagas(self) -> None:
        self._store.when_done = self._news.set
        for saga in self._sagas:
            self._store.run_saga(saga)

    def _ended_by(self, number: int | None) -> Any:
        if number is not None:
            if threading.current_thread() is not threading.main_thread():
                raise KeyboardInterrupt  # only the key can have been it: no other thread is told of signals
            # The handlers of before are back: the program ends as it would have ended, or its own handler decides.
            signal.raise_signal(number)
        return self._store.state

    # What the store and the loop ask.

    def _watched(self, reducer: Reducer) -> Reducer:
        """The reducer, with a look at whether it takes a key, and whether it takes the failure of a saga."""

        def watched(state: Any, action: Action) -> Any:
            result = reducer(state, action)
            if action.type == KEY:
                self._key_was_taken = result is not state
            elif action.type == SAGA_ERROR and result is state:
                self._fail(action.payload)
            return result

        return watched

    def _fail(self, payload: Mapping[str, Any]) -> None:
        error: BaseException = StateError(f"A saga failed: {payload['type']}: {payload['error']}")
        for task in list(self._store.tasks):
            if task.id == payload["saga_id"] and task.error is not None:
                error = task.error
        self._failure = error
        self._news.set()
        if self._loop is not None:
            self._loop.fail(error)

    def _draw(self, columns: int, rows: int) -> tuple[str, float | None]:
        return self._view.draw(self._store.state, columns, rows)


def _in_event_loop() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
