"""The loop of a view: keys, sizes and signals go to the store, and what the store then holds goes to the screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Final

from milo.action import Action
from milo.errors import StateError
from milo.store import Store
from milo.terminal.console import Console
from milo.terminal.keys import KEY, RESIZE, Key
from milo.terminal.relay import ENDING, SignalRelay, can_be_stopped, stop_this_job
from milo.terminal.screen import Screen, lines_of

__all__ = ["Draw", "Loop"]

FRAME_S: Final = 1 / 30
# A picture that is dear to draw is drawn less often, so that it never takes more than a tenth of a processor; what a
# key changes is drawn at once all the same.
_REST_FOR_WORK: Final = 9.0
_LONGEST_REST_S: Final = 0.25
# How long an Escape may still turn out to be the beginning of another key.
_ESCAPE_S: Final = 0.05
# Where no signal tells of a new size.
_LOOK_AT_SIZE_S: Final = 0.5

_INTERRUPT: Final = Key("c", ctrl=True)
_SUSPEND: Final = Key("z", ctrl=True)
_REDRAW: Final = Key("l", ctrl=True)

Draw = Callable[[int, int], tuple[str, float | None]]
"""Renders the present state for (columns, rows): the text, and the seconds after which it is no longer true."""


class Loop:
    """Shows a store on a console until somebody ends it.

    Args:
        store: What is shown.
        draw: Renders it.
        console: Where.
        relay: The signals.
        begin: Called when the size of the screen has been told, before anything is drawn.
        key_was_taken: Tells whether the reducer did anything with the last key.
    """

    def __init__(
        self,
        store: Store,
        draw: Draw,
        console: Console,
        relay: SignalRelay,
        *,
        begin: Callable[[], None] = lambda: None,
        key_was_taken: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._draw = draw
        self._console = console
        self._relay = relay
        self._begin_work = begin
        self._key_was_taken = key_was_taken
        self._screen = Screen()
        self._size = (0, 0)
        self._drawn: object = self
        self._woken = False
        self._painted_at = 0.0
        self._rest_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._escape: asyncio.TimerHandle | None = None
        self._interrupted = False
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> int | None:
        """Show the store until it is asked to quit.

        Returns:
            The signal that ended it, SIGINT for a Ctrl-C that the reducer left alone; None when the store did.

        Raises:
            BaseException: Whatever a reducer or a template raised.
        """
        self._loop = loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int | None] = loop.create_future()
        if self._failure is not None:
            raise self._failure
        self._relay.wake_with(lambda: self._from_outside(self._signalled))
        unsubscribe = self._store.subscribe(self._heard)
        try:
            with self._console.attach(lambda: self._safely(self._readable)):
                self._safely(self._begin)
                return await self._ended
        finally:
            unsubscribe()
            self._relay.wake_with(None)
            for timer in (self._timer, self._escape):
                if timer is not None:
                    timer.cancel()

    def fail(self, error: BaseException) -> None:
        """End with an error; from any thread, also before the loop runs."""
        self._failure = error
        self._from_outside(lambda: self._end(error=error))

    # What wakes the loop.

    def _from_outside(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            # A loop that has ended meanwhile has nothing to show any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._safely, call)

    def _heard(self) -> None:
        """The store has applied an action; called in its turn, on any thread, perhaps very often."""
        if not self._woken and (self._store.state is not self._drawn or self._store.quit_requested):
            self._woken = True
            self._from_outside(self._changed)

    def _safely(self, call: Callable[[], None]) -> None:
        if self._ended.done():
            return
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, when the terminal is as it was
            self._end(error=error)

    def _end(self, number: int | None = None, error: BaseException | None = None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(number)
        elif isinstance(error, StopIteration):  # which a future cannot hold
            self._ended.set_exception(StateError(f"A view failed: {error!r}."))
        else:
            self._ended.set_exception(error)

    # What it then does.

    def _begin(self) -> None:
        self._look_at_size()
        self._begin_work()
        self._paint()
        if os.name != "posix":
            self._keep_looking_at_size()

    def _changed(self) -> None:
        # Before the look: what changes from here on wakes the loop again.
        self._woken = False
        if self._store.quit_requested:
            self._end()
        elif self._store.state is not self._drawn:
            # Until it is drawn nobody needs to wake the loop for more of the same.
            self._woken = True
            self._paint_at(self._painted_at + self._rest_s)

    def _signalled(self) -> None:
        for number in self._relay.take():
            if number in ENDING:
                self._end(number)
            elif number == getattr(signal, "SIGTSTP", None):
                self._suspend()
            elif number == getattr(signal, "SIGCONT", None):
                self._take_back()
            else:
                self._look_at_size()

    def _readable(self) -> None:
        if self._escape is not None:
            self._escape.cancel()
        keys = self._console.read()
        if self._console.closed:
            raise StateError("The terminal was closed while a view was on it.")
        self._escape = asyncio.get_running_loop().call_later(_ESCAPE_S, self._safely, self._escaped)
        self._pressed(keys)

    def _escaped(self) -> None:
        self._escape = None
        self._pressed(self._console.flush())

    def _pressed(self, keys: list[Key]) -> None:
        for key in keys:
            if key == _SUSPEND and self._suspend():
                continue
            self._store.dispatch(Action(KEY, key))
            if self._store.quit_requested:
                self._end()
                return
            if key == _INTERRUPT and (self._interrupted or not self._key_was_taken()):
                self._end(signal.SIGINT)
                return
            self._interrupted = key == _INTERRUPT
            if key == _REDRAW:
                self._redraw()
        if self._store.state is not self._drawn:
            self._paint_at(self._painted_at + FRAME_S)

    # The terminal.

    def _suspend(self) -> bool:
        """Give the terminal back and stop; go on when the shell says so. False where a program cannot be stopped."""
        if not can_be_stopped():
            return False
        self._console.leave()
        try:
            stop_this_job()
        finally:
            self._console.enter()
            self._redraw()
        return True

    def _take_back(self) -> None:
        """The process was stopped by somebody who did not ask, and goes on."""
        self._console.enter()
        self._redraw()

    def _redraw(self) -> None:
        self._screen.forget()
        self._drawn = self
        self._look_at_size()
        self._paint_at(0.0)

    def _look_at_size(self) -> None:
        size = self._console.size()
        if size != self._size:
            self._size = size
            self._drawn = self
            self._store.dispatch(Action(RESIZE, {"columns": size[0], "rows": size[1]}))
            self._paint_at(self._painted_at + FRAME_S)

    def _keep_looking_at_size(self) -> None:
        self._look_at_size()
        asyncio.get_running_loop().call_later(_LOOK_AT_SIZE_S, self._safely, self._keep_looking_at_size)

    # The picture.

    def _paint_at(self, due: float) -> None:
        """Draw at `due`, in the loop's seconds; sooner if that was settled before."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._safely, self._paint)

    def _paint(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._store.quit_requested:
            self._end()
            return
        clock = asyncio.get_running_loop().time
        began = self._painted_at = clock()
        # Before the look at the state: what changes from here on wakes the loop again.
        self._woken = False
        self._drawn = self._store.state
        columns, rows = self._size
        text, true_for_s = self._draw(columns, rows)
        self._write(self._screen.update(lines_of(text, columns, rows), columns, rows))
        self._rest_s = min(_LONGEST_REST_S, max(FRAME_S, _REST_FOR_WORK * (clock() - began)))
        if true_for_s is not None:
            self._paint_at(began + max(self._rest_s, true_for_s))

    def _write(self, text: str) -> None:
        if not text:
            return
        try:
            self._console.write(text)
        except OSError as error:
            raise StateError(f"The terminal is gone: {error}.") from error
