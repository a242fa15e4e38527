"""`milo follow`: a run of another process in the detail view, live, finished, interrupted, and without a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.tmux import Tmux, needs_tmux

MILO = "from milo.cli import entry\nentry()\n"
BUILD = """
import asyncio, pathlib
from milo import Phase, Pipeline

def fetch():
    for number in range(1, 101):
        print(f"fetched {number} of 100")

async def serve(fetch):
    print("serving")
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.02)
    print("served")

pipeline = Pipeline("build", Phase("fetch", fetch), Phase("serve", serve, depends_on=("fetch",)))
"""


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    """Start `milo follow` with these arguments in a terminal."""
    made: list[Tmux] = []

    def start(*arguments: str) -> Tmux:
        made.append(Tmux(tmp_path))
        made[-1].start(MILO, "follow", *arguments)
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def running(cli: Any) -> subprocess.Popen[str]:
    """A run in a process of its own that waits for a file `go`."""
    cli.write(BUILD)
    process: subprocess.Popen[str] = cli.start("run", "--plain", stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "serving" in line:
            break
    return process


@needs_tmux
def test_a_live_run_is_followed_to_its_end_and_stays_until_it_is_quit(
    cli: Any, running: subprocess.Popen[str], follow: Callable[..., Tmux]
) -> None:
    shown = follow()
    shown.shows("build  running", "✓ fetch", "▸ serve", "serving")
    shown.press("Down", "Enter")
    (cli.folder / "go").write_text("")
    shown.shows("served", "100 %", "following")
    assert running.wait(30) == 0
    shown.press("Escape")
    shown.shows("build  completed")
    shown.press("q")
    assert shown.ended() == 0
    assert "build completed; `milo show" in shown.screen()


@needs_tmux
def test_quitting_leaves_the_run_alone(
    cli: Any, running: subprocess.Popen[str], follow: Callable[..., Tmux]
) -> None:
    shown = follow()
    shown.shows("▸ serve")
    shown.press("q")
    assert shown.ended() == 0
    assert "build running; " in shown.screen()
    (cli.folder / "go").write_text("")
    assert running.wait(30) == 0


@needs_tmux
def test_ctrl_c_ends_the_view_with_130_and_leaves_the_run_alone(
    cli: Any, running: subprocess.Popen[str], follow: Callable[..., Tmux]
) -> None:
    shown = follow()
    shown.shows("▸ serve")
    shown.press("C-c")
    assert shown.ended() == 130
    (cli.folder / "go").write_text("")
    assert running.wait(30) == 0


@needs_tmux
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_run_whose_process_dies_is_shown_as_interrupted(
    running: subprocess.Popen[str], follow: Callable[..., Tmux]
) -> None:
    shown = follow()
    shown.shows("build  running", "▸ serve")
    os.kill(running.pid, signal.SIGKILL)
    shown.shows("build  interrupted", "Its process is gone", "`milo run --resume`")
    shown.press("Down")
    shown.shows("quit")
    assert "build  interrupted" in shown.screen()
    shown.press("q")
    assert shown.ended() == 0


def test_without_a_terminal_the_phases_are_printed_once(cli: Any, running: subprocess.Popen[str]) -> None:
    live = cli.run("follow")
    assert live.returncode == 0
    assert "build  running" in live.stdout
    (cli.folder / "go").write_text("")
    assert running.wait(30) == 0
    done = cli.run("follow", running_name(cli))
    assert done.returncode == 0
    assert "build  completed" in done.stdout
    assert "✓ serve" in done.stdout
    assert "\x1b" not in done.stdout


def running_name(cli: Any) -> str:
    name: str = cli.run("history", "--json").stdout.split('"run": "')[1].split('"')[0]
    return name


def test_a_journal_that_is_not_there_or_a_run_that_is_not_in_it_is_said(cli: Any) -> None:
    nothing = cli.run("follow")
    assert nothing.returncode == 2
    assert "There is no journal" in nothing.stderr
    cli.write(
        "from milo import Phase, Pipeline\npipeline = Pipeline('build', Phase('a', handler=lambda: None))"
    )
    assert cli.run("run", "--journal", "other.db").returncode == 0
    missing = cli.run("follow", "nope", "--journal", "other.db")
    assert missing.returncode == 2
    assert "has no run 'nope'" in missing.stderr
