"""App: a store, a template and a terminal; here without a terminal, which tests of their own have."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest

from milo import Action, App, Call, Delay, Key, Phase, Pipeline, Put, Quit, ReducerResult, Store
from milo.errors import StateError
from milo.pipeline import make_detail_reducer
from milo.terminal import KEY
from milo.terminal.templates import TemplateError
from milo.testing import FakeClock


def counter(state: Any, action: Action) -> Any:
    state = state or 0
    if action.type == "add":
        return state + 1
    return Quit(state, code=4) if action.type == "quit" else state


def adds(times: int) -> Any:
    def saga() -> Generator[Any, Any, None]:
        for _ in range(times):
            yield Put(Action("add"))

    return saga


def test_the_store_is_there_before_the_app_runs() -> None:
    app = App("{{ state }}", counter)
    assert isinstance(app.store, Store)
    app.store.dispatch(Action("add"))
    assert app.render() == "1\n"
    app.store.shutdown()


def test_an_initial_state_is_kept() -> None:
    app = App("{{ state }}", counter, 41)
    app.store.dispatch(Action("add"))
    assert app.render() == "42\n"
    app.store.shutdown()


def test_without_a_terminal_the_end_of_the_work_is_waited_for_and_drawn_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = App("count {{ state }}\n", counter, sagas=(adds(2), adds(3)))
    app.store.run_saga(adds(4))
    assert app.run() == 9
    assert capsys.readouterr().out == "count 9\n"


def test_without_a_terminal_and_without_work_the_first_picture_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert App("{{ state }} {{ tty }}\n", counter, 7).run() == 7
    assert capsys.readouterr().out == "7 False\n"


def test_without_a_terminal_quit_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    def saga() -> Generator[Any, Any, None]:
        yield Put(Action("quit"))
        yield Delay(3600)

    app = App("{{ state }}", counter, sagas=(saga,))
    assert app.run() == 0
    assert app.exit_code == 4


def test_commands_and_sagas_of_the_reducer_work(capsys: pytest.CaptureFixture[str]) -> None:
    def reducer(state: Any, action: Action) -> Any:
        if action.type == "go":
            return ReducerResult("going", sagas=(lambda: iter_put("went"),))
        return Quit("gone") if action.type == "went" else state

    def iter_put(type: str) -> Generator[Any, Any, None]:
        yield Put(Action(type))

    def waits() -> Generator[Any, Any, None]:
        yield Put(Action("go"))
        yield Delay(3600)

    assert App("{{ state }}", reducer, "new", sagas=(waits,)).run() == "gone"


def test_the_pipeline_of_the_documentation_runs_in_the_detail_view(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline = Pipeline(
        "build", Phase("discover", lambda: 1), Phase("parse", lambda discover: 2, depends_on=("discover",))
    )
    reducer = make_detail_reducer(pipeline.build_reducer())
    app = App(template="pipeline.kida", reducer=reducer, initial_state=None, sagas=(pipeline.build_saga(),))
    assert app.run().pipeline.status == "completed"
    out = capsys.readouterr().out
    assert "build  completed" in out
    assert "✓ parse" in out
    assert "select" not in out, "there are no keys to press"


def test_a_saga_that_fails_is_the_end_of_the_app(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> Generator[Any, Any, None]:
        yield Call(int, ("x",))

    with pytest.raises(ValueError, match="invalid literal"):
        App("{{ state }}", counter, sagas=(fails, lambda: (yield Delay(3600)))).run()
    assert capsys.readouterr().out == ""


def test_a_saga_that_failed_before_the_run_is_told_by_it() -> None:
    app = App("{{ state }}", counter)
    task = app.store.run_saga(lambda: (yield Call(int, ("x",))))
    assert isinstance(task.exception(10), ValueError)
    with pytest.raises((ValueError, StateError), match="invalid literal"):
        app.run()
    app.store.shutdown()


def test_a_reducer_may_take_the_failure_of_a_saga(capsys: pytest.CaptureFixture[str]) -> None:
    def reducer(state: Any, action: Action) -> Any:
        return action.payload["type"] if action.type == "@@SAGA_ERROR" else state

    assert App("{{ state }}", reducer, 0, sagas=(lambda: (yield Call(int, ("x",))),)).run() == "ValueError"


def test_a_template_that_fails_is_an_error_of_the_run() -> None:
    with pytest.raises(TemplateError, match="'stat' is undefined"):
        App("{{ stat }}", counter).run()


def test_what_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(TemplateError, match="'nowhere' is in none of these folders"):
        App("nowhere", counter)
    with pytest.raises(StateError, match="reducer must be callable, got 7"):
        App("{{ state }}", 7)  # type: ignore[arg-type]


def test_an_app_runs_once(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("{{ state }}", counter)
    app.run()
    with pytest.raises(StateError, match="has run already"):
        app.run()
    with pytest.raises(StateError, match="shut down"):
        app.store.dispatch(Action("add"))


def test_inside_an_event_loop_there_is_another_way(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        app = App("{{ state }}", counter, sagas=(adds(2),))
        with pytest.raises(StateError, match=r"await app\.arun"):
            app.run()
        assert await app.arun() == 2

    asyncio.run(main())
    assert capsys.readouterr().out == "2"


def test_middleware_and_clock_are_those_of_the_store() -> None:
    heard: list[str] = []

    def middleware(next_dispatch: Any, get_state: Any) -> Any:
        def dispatch(action: Action) -> Any:
            heard.append(action.type)
            return next_dispatch(action)

        return dispatch

    clock = FakeClock(5.0)
    app = App("{{ now() }}", counter, middleware=(middleware,), clock=clock)
    app.store.run_saga(lambda: (yield Delay(10)))
    clock.advance(10)
    assert app.render() == "15.0\n"
    assert heard == ["@@INIT"]
    app.store.shutdown()


def test_a_reducer_sees_a_key_as_it_was_pressed() -> None:
    app = App("{{ state }}", lambda state, action: action.payload if action.type == KEY else None)
    app.store.dispatch(Action(KEY, Key("g")))
    assert app.store.state == Key("g")
    app.store.shutdown()


def test_the_end_of_the_wait_may_come_from_another_thread(capsys: pytest.CaptureFixture[str]) -> None:
    app = App("{{ state }}", counter, sagas=(lambda: (yield Delay(3600)),))
    threading.Timer(0.01, lambda: app.store.dispatch(Action("quit"))).start()
    assert app.run() == 0


@pytest.mark.parametrize(
    "statement",
    ["import milo.pipeline, milo.session", "from milo import App", "import milo.cli, milo.cli.commands.run"],
)
def test_who_shows_no_app_loads_no_terminal_library(statement: str) -> None:
    program = f"import sys; {statement}; print(*sorted({{'prompt_toolkit', 'jinja2', 'wcwidth'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
