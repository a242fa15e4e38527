"""`milo run` on a terminal: live where it can be, and the terminal as it was afterwards."""

import re
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
GOOD = """
from milo import Phase, Pipeline
def a(): print("hello from a")
pipeline = Pipeline("build", Phase("a", handler=a))
"""
STUCK = """
import asyncio
from milo import Phase, Pipeline
async def wait():
    print("waiting now")
    await asyncio.Event().wait()
pipeline = Pipeline("build", Phase("stuck", handler=wait))
"""
DEAF = """
import threading
from milo import Phase, Pipeline
def wait():
    print("waiting now")
    threading.Event().wait()
pipeline = Pipeline("build", Phase("stuck", handler=wait))
"""


def test_a_run_on_a_terminal_is_live_and_brings_the_cursor_back(cli: Any, terminal: Any) -> None:
    cli.write(GOOD)
    shown = terminal("run")
    assert shown.wait() == 0
    assert HIDE in shown.text
    assert shown.text.rindex(SHOW) > shown.text.rindex(HIDE)
    assert "build completed" in shown.text
    assert "start  a" not in shown.text


@pytest.mark.parametrize(
    ("arguments", "env"),
    [([], {"CI": "1"}), ([], {"TERM": "dumb"}), (["--plain"], {}), ([], {"MILO_PLAIN": "1"})],
    ids=["CI", "TERM=dumb", "--plain", "MILO_PLAIN"],
)
def test_a_terminal_that_should_not_be_live_gets_plain_lines(
    cli: Any, terminal: Any, arguments: list[str], env: dict[str, str]
) -> None:
    cli.write(GOOD)
    shown = terminal("run", *arguments, **env)
    assert shown.wait() == 0
    assert HIDE not in shown.text
    assert "hello from a" in shown.text


def test_no_color_leaves_the_live_view_and_takes_the_colour(cli: Any, terminal: Any) -> None:
    cli.write(GOOD)
    plain, coloured = terminal("run", NO_COLOR="1"), terminal("run")
    assert (plain.wait(), coloured.wait()) == (0, 0)
    assert HIDE in plain.text
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain.text)
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", coloured.text)


def test_ctrl_c_ends_the_live_run_with_130_and_brings_the_cursor_back(cli: Any, terminal: Any) -> None:
    cli.write(STUCK)
    shown = terminal("run", "--grace", "1")
    shown.until("waiting now")
    shown.type("\x03")
    assert shown.wait() == 130
    assert shown.text.rindex(SHOW) > shown.text.rindex(HIDE)
    assert "build cancelled" in shown.text
    assert "Traceback" not in shown.text


def test_ctrl_c_ends_a_run_whose_handler_does_not_listen(cli: Any, terminal: Any) -> None:
    cli.write(DEAF)
    shown = terminal("run", "--grace", "0.2")
    shown.until("waiting now")
    shown.type("\x03")
    assert shown.wait() == 130
    assert shown.text.rindex(SHOW) > shown.text.rindex(HIDE)


def test_hostile_output_does_not_reach_the_terminal(cli: Any, terminal: Any) -> None:
    cli.write(
        "from milo import Phase, Pipeline\n"
        "def a():\n"
        "    print('x\\x1b]52;c;aGk=\\x07\\x1b]0;title\\x07\\x1b[2Jy [bold]z[/bold]')\n"
        "    raise ValueError('bad \\x9b2J \\x1b[?1049h end')\n"
        "pipeline = Pipeline('build', Phase('a', handler=a))\n"
    )
    shown = terminal("run")
    assert shown.wait() == 1
    assert not any(text in shown.text for text in ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\x1b[?1049h"))
    assert "[bold]z[/bold]" in shown.text
