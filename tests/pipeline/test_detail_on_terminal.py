"""The detail view in a real terminal, while a pipeline runs: every key, other sizes, failures and hostile output."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.tmux import Tmux, needs_tmux

pytestmark = needs_tmux

BUILD = r"""
import asyncio, os, pathlib, sys
from milo import App, Phase, Pipeline
from milo.pipeline import make_detail_reducer

def fetch():
    for number in range(1, 301):
        print(f"fetched {number} of 300")

def check(fetch):
    print("looking")
    raise RuntimeError("three links are broken:\n  a.html\n  b.html")

async def serve(fetch):
    print("serving")
    try:
        await asyncio.Event().wait()
    finally:
        pathlib.Path("cleaned").write_text("up")

def nasty(fetch):
    link = "\x1b]52;c;aGk=\x07\x1b]8;;http://x\x07link\x1b]8;;\x07"
    print(f"{link} \x1b[2J\x1b[H\x1b[31mred\x1b[5;5Hmoved \x9b2J \u202eright")
    print("x" * 10_000_000)
    raise ValueError("bad \x1b[2J\x1b[?1049l end")

pipeline = Pipeline(
    "build",
    Phase("fetch", fetch, max_logs=300),
    Phase("check", check, depends_on=("fetch",), parallel=True),
    Phase("serve", serve, depends_on=("fetch",), parallel=True),
    Phase("nasty", nasty, depends_on=("fetch",), parallel=True),
    Phase("publish", lambda serve: None, depends_on=("serve",)),
    capture_output=True,
)
pathlib.Path("pid").write_text(str(os.getpid()))
reducer = make_detail_reducer(pipeline.build_reducer())
app = App(template="pipeline.kida", reducer=reducer, initial_state=None, sagas=(pipeline.build_saga(keep_going=True),))
final = app.run()
print(final.pipeline.status, *[phase.status for phase in final.pipeline.phases])
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    made: list[Tmux] = []

    def start(columns: int = 80, rows: int = 24) -> Tmux:
        made.append(Tmux(tmp_path, columns, rows))
        made[-1].start(BUILD)
        made[-1].shows("build  failed", "2 failed", "▸ serve")
        return made[-1]

    yield start
    for each in made:
        each.close()


def quits(terminal: Tmux) -> None:
    terminal.press("q")
    assert terminal.ended() == 0
    assert "cancelled completed failed cancelled failed pending" in terminal.screen()


def test_the_list_has_every_key_of_the_documentation(terminal: Callable[..., Tmux]) -> None:
    shown = terminal()
    shown.shows("✓ fetch", "✗ check", "three links are broken:", "▸ serve", "· publish", "❯ ✓ fetch")
    shown.press("Down")
    shown.shows("❯ ✗ check")
    shown.press("Up")
    shown.shows("❯ ✓ fetch")
    shown.press("End")
    shown.shows("❯ · publish")
    shown.press("e")
    shown.shows("❯ ✗ check")
    shown.press("e")
    shown.shows("❯ ✗ nasty")
    shown.press("r")
    shown.shows("❯ ▸ serve")
    shown.press("/", "E", "C")
    shown.shows("/EC", "1 phase", "❯ ✗ check")
    shown.press("Enter")
    shown.shows("Esc drops /EC")
    shown.press("Escape")
    shown.shows("5 phases")
    shown.press("Space")
    shown.shows("looking", "three links are broken:", "  b.html")
    shown.press("Enter")
    shown.shows("❯ ✗ check")
    quits(shown)


def test_three_hundred_lines_are_scrolled_by_key_and_page_and_followed(terminal: Callable[..., Tmux]) -> None:
    shown = terminal()
    shown.press("Enter")
    shown.shows("fetched 300 of 300", "282-300 of 300, following")
    shown.press("g")
    shown.shows("fetched 1 of 300", "1-19 of 300 ─")
    shown.press("Down", "Down")
    shown.shows("3-21 of 300 ─")
    shown.press("PageDown")
    shown.shows("22-40 of 300 ─")
    shown.press("Up")
    shown.shows("21-39 of 300 ─")
    shown.press("PageUp")
    shown.shows("2-20 of 300 ─")
    shown.press("G")
    shown.shows("fetched 300 of 300", "282-300 of 300, following")
    shown.press("f")
    shown.shows("282-300 of 300 ─")
    shown.press("Home")
    shown.shows("1-19 of 300 ─")
    shown.press("f")
    shown.shows("282-300 of 300, following")
    # What a wheel sends where the terminal turns it into arrow keys.
    shown.press("Up", "Up", "Up")
    shown.shows("279-297 of 300 ─")
    shown.press("End")
    shown.shows("282-300 of 300, following")
    shown.press("Escape")
    shown.shows("❯ ✓ fetch")
    quits(shown)


def test_other_sizes_while_it_runs(terminal: Callable[..., Tmux]) -> None:
    shown = terminal()
    shown.resize(40, 10)
    shown.shows("❯ ✓ fetch", "Enter logs")
    shown.hides("completed")
    shown.press("e", "Enter")
    shown.shows("✗ check  failed", "  b.html")
    shown.resize(120, 30)
    shown.shows("looking", "━━━", "sideways")
    shown.press("Enter")
    shown.shows("2 failed", "completed")
    quits(shown)


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_quitting_cancels_what_runs_and_lets_it_clean_up(terminal: Callable[..., Tmux], key: str) -> None:
    shown = terminal()
    shown.press(key)
    assert shown.ended() == 0
    assert "cancelled completed failed cancelled" in shown.screen()
    assert shown.read("cleaned") == "up"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_cancels_what_runs_and_ends_the_program(terminal: Callable[..., Tmux], name: str) -> None:
    shown = terminal()
    os.kill(shown.pid(), getattr(signal, name))
    assert shown.ended() == 128 + getattr(signal, name)
    assert shown.read("cleaned") == "up"


def starts(shown: Tmux, expected: dict[int, str]) -> bool:
    """Whether the lines of the screen with these numbers begin with these texts."""
    lines = shown.screen().splitlines()
    return all(len(lines) > at and lines[at].startswith(text) for at, text in expected.items())


def test_hostile_output_changes_nothing_but_the_text_of_its_own_line(terminal: Callable[..., Tmux]) -> None:
    shown = terminal()
    shown.press("e", "e")
    # A screen may be caught half drawn, so all that is to be seen is waited for.
    shown.until(lambda: starts(shown, {0: " build  failed", 6: "❯ ✗ nasty", 7: "  · publish"}))
    shown.press("Enter")
    shown.shows("bad  end", "quit")
    assert shown.is_alternate()
    shown.until(
        lambda: starts(
            shown,
            {1: " ✗ nasty  failed", 3: "link redmoved \\x9b2J \\u202eright", 4: "x" * 80},
        )
    )
    assert "quit" in shown.screen().splitlines()[23]
    shown.press("Escape")
    # What is pressed right after it would be taken for Alt and that key.
    shown.shows("❯ ✗ nasty")
    quits(shown)
