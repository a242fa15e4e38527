"""`milo run --tui` in a real terminal: the view, its end, quitting and signals, and what stands there afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.tmux import Tmux, needs_tmux

MILO = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\nfrom milo.cli import entry\nentry()\n"
BUILD = r"""
import asyncio, os, pathlib, sys
from milo import Phase, Pipeline

def fetch():
    for number in range(1, 301):
        print(f"fetched {number} of 300")
    os.write(1, b"straight to one\x1b[2J\n")
    os.system("echo straight to two >&2")

async def serve(fetch):
    print("serving")
    try:
        while not pathlib.Path("go").exists():
            await asyncio.sleep(0.02)
    finally:
        pathlib.Path("cleaned").write_text("up")

def check(fetch):
    print("looking")
    raise RuntimeError("three links are broken:\n  a.html")

pipeline = Pipeline(
    "build",
    Phase("fetch", fetch, max_logs=300),
    Phase("serve", serve, depends_on=("fetch",), parallel=True),
)
failing = Pipeline("build", *pipeline.phases, Phase("check", check, depends_on=("fetch",), parallel=True))
"""


@pytest.fixture
def milo(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    """Start milo with these arguments in a terminal."""
    made: list[Tmux] = []
    (tmp_path / "pipeline.py").write_text(BUILD, "utf-8")

    def start(*arguments: str, columns: int = 80, rows: int = 24) -> Tmux:
        made.append(Tmux(tmp_path, columns, rows))
        made[-1].start(MILO, *arguments)
        return made[-1]

    yield start
    for each in made:
        each.close()


def go(tmux: Tmux) -> None:
    """Let the phase that waits end."""
    (tmux.folder / "go").write_text("")


@needs_tmux
def test_the_view_ends_with_the_run_and_leaves_the_summary_and_what_was_written_past_it(
    milo: Callable[..., Tmux],
) -> None:
    shown = milo("run", "--tui")
    shown.shows("build  running", "✓ fetch", "▸ serve", "serving")
    assert shown.is_alternate()
    assert "straight" not in shown.screen()
    go(shown)
    assert shown.ended() == 0
    screen = shown.screen()
    assert "build completed in" in screen
    assert (
        screen.index("straight to one\n") < screen.index("straight to two") < screen.index("build completed")
    )


@needs_tmux
def test_once_a_key_was_pressed_the_view_stays_until_it_is_quit(milo: Callable[..., Tmux]) -> None:
    shown = milo("run", "--tui")
    shown.shows("▸ serve")
    shown.press("Enter")
    shown.shows("282-300 of 300, following")
    go(shown)
    shown.shows("100 %")
    shown.press("g")
    shown.shows("fetched 1 of 300")
    shown.press("q")
    assert shown.ended() == 0
    assert "build completed in" in shown.screen()


@needs_tmux
def test_quitting_a_run_is_asked_about_and_then_cancels_it(milo: Callable[..., Tmux]) -> None:
    shown = milo("run", "--tui")
    shown.shows("▸ serve")
    shown.press("q")
    shown.shows("Cancel the run?")
    shown.press("n")
    shown.hides("Cancel the run?")
    shown.shows("quit")
    shown.press("Escape")
    shown.shows("Cancel the run?")
    shown.press("y")
    assert shown.ended() == 130
    assert shown.read("cleaned") == "up"
    assert "build cancelled in" in shown.screen()
    assert "cancelled: serve" in shown.screen()


@needs_tmux
def test_a_failed_run_ends_the_view_with_its_error_in_the_summary(milo: Callable[..., Tmux]) -> None:
    shown = milo("run", "pipeline.py:failing", "--tui")
    shown.shows("✗ check", "three links are broken", "build  failed")
    go(shown)
    assert shown.ended() == 1
    for text in ("check failed after", "  a.html", "  | looking", "build failed in"):
        assert text in shown.screen()


@needs_tmux
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_cancels_the_run_as_it_does_without_the_view(milo: Callable[..., Tmux], name: str) -> None:
    shown = milo("run", "--tui")
    shown.shows("▸ serve")
    os.kill(shown.pid(), getattr(signal, name))
    assert shown.ended() == 130
    assert shown.read("cleaned") == "up"
    assert "build cancelled in" in shown.screen()


@needs_tmux
def test_ctrl_c_cancels_the_run(milo: Callable[..., Tmux]) -> None:
    shown = milo("run", "--tui")
    shown.shows("▸ serve")
    shown.press("C-c")
    assert shown.ended() == 130
    assert "build cancelled in" in shown.screen()


@needs_tmux
def test_ctrl_z_stops_the_view_and_fg_brings_it_back_while_the_size_has_changed(
    milo: Callable[..., Tmux],
) -> None:
    shown = milo("run", "--tui")
    shown.shows("▸ serve")
    shown.press("C-z")
    shown.shows("Stopped")
    assert not shown.is_alternate()
    shown.resize(60, 20)
    shown.type("fg")
    shown.press("Enter")
    shown.shows("▸ serve", "quit")
    go(shown)
    shown.shows("build completed in")


@needs_tmux
def test_the_environment_prefers_the_view_and_plain_lines_can_be_asked_for(milo: Callable[..., Tmux]) -> None:
    shown = milo("run", "--plain")
    go(shown)
    assert shown.ended() == 0
    assert "start  fetch" in shown.tmux("capture-pane", "-p", "-S", "-400")


def test_without_a_terminal_the_flag_is_refused(cli: Any) -> None:
    cli.write("raise SystemExit('loaded')")
    done = cli.run("run", "--tui")
    assert done.returncode == 2
    assert "--tui needs a terminal" in done.stderr
    assert "loaded" not in done.stdout + done.stderr


@pytest.mark.parametrize("how", ["environment", "project"])
def test_without_a_terminal_the_preference_gives_plain_lines(cli: Any, how: str) -> None:
    cli.write(
        "from milo import Phase, Pipeline\npipeline = Pipeline('build', Phase('a', handler=lambda: None))"
    )
    if how == "project":
        cli.write("[tool.milo]\ntui = true\n", "pyproject.toml")
    done = cli.run("run", **({"MILO_TUI": "1"} if how == "environment" else {}))
    assert done.returncode == 0
    assert "start  a" in done.stdout


@pytest.mark.parametrize("other", ["--json", "--plain", "--quiet"])
def test_two_ways_to_show_a_run_exclude_each_other(cli: Any, terminal: Any, other: str) -> None:
    cli.write("")
    shown = terminal("run", "--tui", other)
    assert shown.wait() == 2
    assert f"--tui and {other} exclude each other" in shown.text


@pytest.mark.parametrize("env", [{"CI": "1"}, {"TERM": "dumb"}, {"MILO_QUIET": "1"}])
def test_a_preference_yields_to_what_says_that_nobody_looks(
    cli: Any, terminal: Any, env: dict[str, str]
) -> None:
    cli.write(
        "from milo import Phase, Pipeline\npipeline = Pipeline('build', Phase('a', handler=lambda: None))"
    )
    shown = terminal("run", MILO_TUI="1", **env)
    assert shown.wait() == 0
    assert "\x1b[?1049h" not in shown.text
    asked = terminal("run", MILO_TUI="1")
    assert asked.wait() == 0
    assert "\x1b[?1049h" in asked.text
