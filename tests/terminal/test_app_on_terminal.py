"""An App in a real terminal: what is pressed, what is shown, and that the terminal is left as it was found."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from .tmux import Tmux, needs_tmux

pytestmark = needs_tmux

COUNTER = r"""
import os, pathlib, sys
from milo import App, Key, Quit, SpecialKey

def reducer(state, action):
    state = state or {"count": 0, "keys": []}
    if action.type == "@@RESIZE":
        return {**state, "size": f"{action.payload['columns']}x{action.payload['rows']}"}
    if action.type != "@@KEY":
        return state
    key = action.payload
    if key.char == "q":
        return Quit(state)
    if key.char == "!":
        raise ValueError("boom")
    if key.char == "o":
        print("printed meanwhile", "\x1b[2J\x1b]52;c;aGk=\x07")
        os.system("echo from a child; echo and its error >&2")
    if key == Key("c", ctrl=True) and state["count"]:
        return {**state, "count": 0}
    step = {SpecialKey.UP: 1, SpecialKey.DOWN: -1}.get(key.name, 0)
    name = key.name.value if key.name else key.char
    held = "".join(each + "-" for each in ("ctrl", "alt", "shift") if getattr(key, each))
    if key == Key("c", ctrl=True):
        return state
    return {**state, "count": state["count"] + step, "keys": [*state["keys"], held + name][-3:]}

TEMPLATE = '''count {{ state.count|bold }} on {{ state.size }}
{{ "wrong"|red if state.count != 7 else 1 / 0 }} {{ state["keys"]|join(",") }}
'''
pathlib.Path("pid").write_text(str(os.getpid()))
app = App(TEMPLATE, reducer)
final = app.run()
print("final", final["count"])
"""


@pytest.fixture
def counter(tmux: Callable[..., Tmux]) -> Tmux:
    terminal = tmux(60, 12)
    terminal.start(COUNTER)
    terminal.shows("count 0 on 60x12")
    return terminal


def test_keys_change_what_is_shown_and_quit_gives_the_final_state(counter: Tmux) -> None:
    assert counter.is_alternate()
    assert counter.flag("cursor_flag") == "0"
    assert counter.flag("mouse_any_flag") == "0", "no mouse reporting: text stays selectable"
    counter.press("Up", "Up", "Down")
    counter.shows("count 1")
    counter.press("q")
    assert counter.ended() == 0
    assert "final 1" in counter.screen()
    assert "count 1" not in counter.screen()


def test_every_kind_of_key_arrives_by_its_name(counter: Tmux) -> None:
    for key, shown in {
        "Escape": "escape",
        "Enter": "enter",
        "Tab": "tab",
        "BTab": "shift-tab",
        "BSpace": "backspace",
        "PageDown": "page_down",
        "Home": "home",
        "F5": "f5",
        "C-Left": "ctrl-left",
        "M-x": "alt-x",
        "C-a": "ctrl-a",
        "é": "é",
        "漢": "漢",
    }.items():
        counter.press(key)
        counter.shows(shown)


def test_a_new_size_is_an_action_and_draws_anew(counter: Tmux) -> None:
    counter.resize(40, 8)
    counter.shows("on 40x8")
    counter.press("q")
    assert counter.ended() == 0


def test_an_error_in_a_reducer_leaves_the_terminal_as_it_was(counter: Tmux) -> None:
    counter.press("!")
    assert counter.ended() == 1
    assert "ValueError: boom" in counter.screen()


def test_an_error_in_a_template_leaves_the_terminal_as_it_was(counter: Tmux) -> None:
    counter.press(*["Up"] * 7)
    assert counter.ended() == 1
    assert "line 2: ZeroDivisionError" in counter.screen()


def test_ctrl_c_that_the_reducer_leaves_alone_interrupts(counter: Tmux) -> None:
    counter.press("C-c")
    # A shell ends its line of commands when one of them was interrupted.
    counter.until(lambda: not counter.is_alternate() and "KeyboardInterrupt" in counter.screen())
    counter.press("C-l")
    counter.type("echo 130 > status; stty -g > after")
    counter.press("Enter")
    assert counter.ended() == 130


def test_ctrl_c_may_be_a_key_like_any_other_but_not_twice_in_a_row(counter: Tmux) -> None:
    counter.press("Up", "C-c")
    counter.shows("count 0")
    assert counter.is_alternate()
    counter.press("Up", "C-c", "C-c")
    counter.until(lambda: not counter.is_alternate() and "KeyboardInterrupt" in counter.screen())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_program_as_without_the_app(counter: Tmux, name: str) -> None:
    number = getattr(signal, name)
    os.kill(counter.pid(), number)
    assert counter.ended() == 128 + number


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(counter: Tmux) -> None:
    counter.press("Up", "Up")
    counter.shows("count 2")
    counter.press("C-z")
    # The shell takes the stop for the end of the command, and goes on with the next.
    assert counter.ended() == 128 + signal.SIGTSTP
    (counter.folder / "after").unlink()
    counter.type("fg; stty -g > after")
    counter.press("Enter")
    counter.shows("count 2")
    assert counter.is_alternate()
    counter.press("Up")
    counter.shows("count 3")
    counter.press("q")
    assert counter.ended() == 128 + signal.SIGTSTP, "the status of then; the settings are those of now"
    assert "final 3" in counter.screen()


def test_a_program_that_was_stopped_by_others_draws_anew_when_it_goes_on(counter: Tmux) -> None:
    os.kill(counter.pid(), signal.SIGSTOP)
    counter.shows("Stopped")
    counter.press("C-l")
    counter.type("fg")
    counter.press("Enter")
    counter.shows("count 0")
    counter.press("Up")
    counter.shows("count 1")
    counter.hides("$")


def test_what_is_printed_meanwhile_is_shown_afterwards(counter: Tmux) -> None:
    counter.press("o")
    counter.shows("wrong o")
    assert "printed" not in counter.screen()
    assert "from a child" not in counter.screen()
    counter.press("q")
    assert counter.ended() == 0
    for text in ("printed meanwhile", "from a child", "and its error", "final 0"):
        assert text in counter.screen()


def test_without_a_person_at_the_keyboard_keys_come_from_the_terminal(tmux: Callable[..., Tmux]) -> None:
    """Standard input may be a pipe or a file; it is not read."""
    terminal = tmux(60, 12)
    terminal.start(COUNTER, "</dev/null")
    terminal.shows("count 0")
    terminal.press("Up")
    terminal.shows("count 1")
    terminal.press("q")
    assert terminal.ended() == 0


def test_a_saga_that_fails_ends_the_app_with_its_error(tmux: Callable[..., Tmux]) -> None:
    terminal = tmux(60, 12)
    terminal.start(
        "from milo import App, Call\n"
        "def work():\n"
        "    raise OSError('disk on fire')\n"
        "def saga():\n"
        "    yield Call(work)\n"
        "App('{{ state }}', lambda state, action: 1, 1, sagas=(saga,)).run()\n"
    )
    assert terminal.ended() == 1
    assert "OSError: disk on fire" in terminal.screen()


def test_an_app_runs_beside_other_tasks_of_an_event_loop(tmux: Callable[..., Tmux]) -> None:
    terminal = tmux(60, 12)
    terminal.start(
        "import asyncio\n"
        "from milo import Action, App, Quit\n"
        "def reducer(state, action):\n"
        "    state = state or 0\n"
        "    if action.type == 'add': return state + 1\n"
        "    return Quit(state) if action.type == '@@KEY' else state\n"
        "async def main():\n"
        "    app = App('count {{ state }}', reducer)\n"
        "    running = asyncio.create_task(app.arun())\n"
        "    await asyncio.sleep(0)\n"
        "    app.store.dispatch(Action('add'))\n"
        "    print('final', await running)\n"
        "asyncio.run(main())\n"
    )
    terminal.shows("count 1")
    terminal.press("x")
    assert terminal.ended() == 0
    assert "final 1" in terminal.screen()
