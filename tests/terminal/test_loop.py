"""The loop of a view on a console that is none: keys in, frames out, at most thirty a second and only when needed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from milo import Action, Key, Quit, Store
from milo.errors import StateError
from milo.terminal import KEY, RESIZE
from milo.terminal.loop import FRAME_S, Loop
from milo.terminal.relay import SignalRelay

PATIENCE_S = 20.0


class FakeConsole:
    """A console whose keys are put in by a test and whose writing is kept."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.calls: list[str] = []
        self.keys: list[Key] = []
        self.waiting: list[Key] = []
        self.columns = 80
        self.closed = False
        self.gone = False
        self._ready: Callable[[], None] = lambda: None

    def enter(self) -> None:
        self.calls.append("enter")

    def leave(self) -> None:
        self.calls.append("leave")

    def size(self) -> tuple[int, int]:
        return self.columns, 24

    def write(self, text: str) -> None:
        if self.gone:
            raise OSError("Input/output error")
        self.written.append(text)

    @contextmanager
    def attach(self, ready: Callable[[], None]) -> Iterator[None]:
        self._ready = ready
        yield

    def press(self, *keys: Key | str) -> None:
        self.keys += [Key(key) if isinstance(key, str) else key for key in keys]
        self._ready()

    def read(self) -> list[Key]:
        keys, self.keys = self.keys, []
        return keys

    def flush(self) -> list[Key]:
        keys, self.waiting = self.waiting, []
        return keys


class Stage:
    """A loop on a fake console, and what it has drawn."""

    def __init__(self, reducer: Callable[[Any, Action], Any], **options: Any) -> None:
        self.console = FakeConsole()
        self.store = Store(reducer)
        self.drawn: list[Any] = []
        self.relay = SignalRelay()
        self.true_for_s: float | None = None
        self.loop = Loop(self.store, self.draw, self.console, self.relay, **options)

    def draw(self, columns: int, rows: int) -> tuple[str, float | None]:
        self.drawn.append(self.store.state)
        return f"{self.store.state}", self.true_for_s

    def play(self, script: Callable[[], Coroutine[Any, Any, None]]) -> int | None:
        """Run the loop with `script` beside it; returns what the loop returned."""

        async def both() -> int | None:
            running = asyncio.create_task(self.loop.run())
            await asyncio.sleep(0)
            playing = asyncio.create_task(script())
            try:
                return await asyncio.wait_for(running, PATIENCE_S)
            finally:
                playing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await playing

        with self.store:
            return asyncio.run(both())

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not condition():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.001)

    async def shows(self, state: Any) -> None:
        await self.until(lambda: bool(self.drawn) and self.drawn[-1] == state)


def counter(state: Any, action: Action) -> Any:
    state = state or 0
    if action.type == "add":
        return state + 1
    if action.type == "quit":
        return Quit(state, code=3)
    if action.type == KEY and action.payload == Key("q"):
        return Quit(state)
    if action.type == KEY and action.payload == Key("+"):
        return state + 1
    if action.type == KEY and action.payload == Key("!"):
        raise ValueError("boom")
    return state


def test_the_size_is_told_first_and_then_the_work_begins() -> None:
    heard: list[str] = []

    def reducer(state: Any, action: Action) -> Any:
        heard.append(action.type)
        return Quit(1) if action.type == "go" else 0

    stage = Stage(reducer, begin=lambda: stage.store.dispatch(Action("go")))

    async def nothing() -> None: ...

    assert stage.play(nothing) is None
    assert heard == ["@@INIT", RESIZE, "go"]


def test_a_key_changes_the_picture_and_quit_ends_the_loop() -> None:
    stage = Stage(counter)

    async def script() -> None:
        stage.console.press("+", "+", "x")
        await stage.shows(2)
        stage.console.press("q", "+")

    assert stage.play(script) is None
    assert stage.store.state == 2, "keys behind the one that quits are nobody's"


def test_actions_from_any_thread_are_drawn_and_may_quit() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await asyncio.to_thread(stage.store.dispatch, Action("add"))
        await stage.shows(1)
        await asyncio.to_thread(stage.store.dispatch, Action("quit"))

    assert stage.play(script) is None
    assert stage.store.exit_code == 3


def test_a_thousand_changes_at_once_are_one_picture() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        for _ in range(1000):
            stage.store.dispatch(Action("add"))
        await stage.shows(1000)
        stage.store.dispatch(Action("quit"))

    stage.play(script)
    assert len(stage.drawn) == 2


def test_pictures_keep_their_distance() -> None:
    stage = Stage(counter)
    times: list[float] = []
    plain = stage.draw

    def draw(columns: int, rows: int) -> tuple[str, float | None]:
        times.append(asyncio.get_running_loop().time())
        return plain(columns, rows)

    stage.loop = Loop(stage.store, draw, stage.console, stage.relay)

    async def script() -> None:
        for count in range(1, 6):
            stage.console.press("+")
            await stage.shows(count)
        stage.console.press("q")

    stage.play(script)
    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap > 0.9 * FRAME_S for gap in gaps)


def test_what_changes_nothing_draws_and_writes_nothing() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        stage.console.press("x", "y")
        stage.store.dispatch(Action("unknown"))
        await asyncio.sleep(2 * FRAME_S)
        stage.console.press("+")
        await stage.shows(1)
        stage.console.press("q")

    stage.play(script)
    assert stage.drawn == [0, 1]
    assert len(stage.console.written) == 2


def test_a_picture_that_is_true_for_a_while_is_drawn_again_after_it() -> None:
    stage = Stage(counter)
    stage.true_for_s = 0.04

    async def script() -> None:
        await stage.until(lambda: len(stage.drawn) == 3)
        stage.true_for_s = None
        await stage.until(lambda: len(stage.drawn) == 4)
        stage.console.press("+")
        await stage.shows(1)
        stage.console.press("q")

    stage.play(script)
    assert stage.drawn == [0, 0, 0, 0, 1]
    assert len(stage.console.written) == 2, "what looks the same is not written again"


def test_an_escape_waits_for_nothing_longer_than_a_moment() -> None:
    heard: list[Key] = []

    def reducer(state: Any, action: Action) -> Any:
        if action.type == KEY:
            heard.append(action.payload)
            return Quit(1)
        return 0

    stage = Stage(reducer)

    async def script() -> None:
        stage.console.waiting = [Key("\x1b")]
        stage.console.press()

    stage.play(script)
    assert heard == [Key("\x1b")]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_loop(name: str) -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        with stage.relay.listening():
            signal.raise_signal(getattr(signal, name))

    assert stage.play(script) == getattr(signal, name)


def test_a_signal_that_came_before_the_loop_is_heard() -> None:
    stage = Stage(counter)
    with stage.relay.listening():
        signal.raise_signal(signal.SIGTERM)

    async def nothing() -> None: ...

    assert stage.play(nothing) == signal.SIGTERM


def test_a_new_size_is_told_and_drawn() -> None:
    sizes: list[Any] = []

    def reducer(state: Any, action: Action) -> Any:
        if action.type == RESIZE:
            sizes.append(action.payload)
        return Quit(0) if action.type == KEY else 0

    stage = Stage(reducer)

    async def script() -> None:
        await stage.shows(0)
        stage.console.columns = 40
        with stage.relay.listening():
            signal.raise_signal(signal.SIGWINCH)
        await stage.until(lambda: len(stage.drawn) == 2)
        stage.console.press("q")

    stage.play(script)
    assert sizes == [{"columns": 80, "rows": 24}, {"columns": 40, "rows": 24}]


def test_going_on_after_a_stop_takes_the_terminal_and_draws_again() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        with stage.relay.listening():
            signal.raise_signal(signal.SIGCONT)
        await stage.until(lambda: len(stage.drawn) == 2)
        stage.console.press("q")

    stage.play(script)
    assert stage.console.calls == ["enter"]
    assert len(stage.console.written) == 2


def test_ctrl_z_gives_the_terminal_back_before_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(counter)
    monkeypatch.setattr("milo.terminal.loop.stop_this_job", lambda: stage.console.calls.append("stopped"))

    async def script() -> None:
        stage.console.press(Key("z", ctrl=True))
        await stage.until(lambda: len(stage.drawn) == 2)
        stage.console.press("q")

    stage.play(script)
    assert stage.console.calls == ["leave", "stopped", "enter"]


def test_ctrl_z_is_a_key_where_nothing_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milo.terminal.loop.can_be_stopped", lambda: False)
    stage = Stage(lambda state, action: Quit(1) if action.type == KEY and action.payload.ctrl else 0)

    async def script() -> None:
        stage.console.press(Key("z", ctrl=True))

    stage.play(script)
    assert stage.store.state == 1
    assert stage.console.calls == []


def test_ctrl_l_draws_everything_anew() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        stage.console.press(Key("l", ctrl=True))
        await stage.until(lambda: len(stage.console.written) == 2)
        stage.console.press("q")

    stage.play(script)
    assert stage.console.written[0] == stage.console.written[1]


@pytest.mark.parametrize(("taken", "presses"), [(False, 1), (True, 2)])
def test_ctrl_c_interrupts_when_it_is_left_alone_or_pressed_twice(taken: bool, presses: int) -> None:
    stage = Stage(counter, key_was_taken=lambda: taken)
    interrupt = Key("c", ctrl=True)
    pressed: list[int] = []

    async def script() -> None:
        stage.console.press(interrupt, "x", "x") if taken else None
        for count in range(1, 3):
            await asyncio.sleep(0)
            pressed.append(count)
            stage.console.press(interrupt)

    assert stage.play(script) == signal.SIGINT
    assert pressed[:presses] == list(range(1, presses + 1))


def test_an_error_in_a_reducer_ends_the_loop_with_it() -> None:
    stage = Stage(counter)

    async def script() -> None:
        stage.console.press("!")

    with pytest.raises(StateError, match="boom"):
        stage.play(script)


def test_an_error_in_the_picture_ends_the_loop_with_it() -> None:
    stage = Stage(counter)
    stage.loop = Loop(stage.store, lambda columns, rows: 1 / 0, stage.console, stage.relay)  # type: ignore[arg-type]

    async def nothing() -> None: ...

    with pytest.raises(ZeroDivisionError):
        stage.play(nothing)


def test_an_error_from_outside_ends_the_loop_with_it() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        await asyncio.to_thread(stage.loop.fail, LookupError("gone"))
        await asyncio.to_thread(stage.loop.fail, LookupError("too late"))

    with pytest.raises(LookupError, match="gone"):
        stage.play(script)
    stage.loop.fail(LookupError("after the end"))

    stage = Stage(counter)
    stage.loop.fail(LookupError("before the beginning"))
    with pytest.raises(LookupError, match="before the beginning"):
        stage.play(script)


def test_a_terminal_that_is_gone_is_a_clear_error() -> None:
    stage = Stage(counter)

    async def script() -> None:
        await stage.shows(0)
        stage.console.closed = True
        stage.console.press()

    with pytest.raises(StateError, match="The terminal was closed"):
        stage.play(script)

    stage = Stage(counter)
    stage.console.gone = True

    async def nothing() -> None: ...

    with pytest.raises(StateError, match="The terminal is gone: Input/output error"):
        stage.play(nothing)
