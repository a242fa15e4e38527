"""The live rows in a real terminal: other sizes while it runs, wide characters, and nothing left of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.tmux import Tmux, needs_tmux

pytestmark = needs_tmux

MILO = "from milo.cli import entry\nentry()\n"
BUILD = """
import pathlib, sys, time
from milo import Phase, Pipeline

def work(number):
    def go():
        sys.stdout.write("\\r 10% #\\r 50% #####")
        print(f"\\rphase {number} 漢字 wide 🎉 " + "text " * 30)
        while not pathlib.Path("go").exists():
            time.sleep(0.02)
    return go

names = [f"a-rather-long-name-of-a-phase-{number}" for number in range(30)]
pipeline = Pipeline("build", *[Phase(name, work(number), parallel=True) for number, name in enumerate(names)])
"""


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    made: list[Tmux] = []
    (tmp_path / "pipeline.py").write_text(BUILD, "utf-8")

    def start(columns: int, rows: int) -> Tmux:
        made.append(Tmux(tmp_path, columns, rows))
        made[-1].start(MILO, "run", "--no-journal", "--jobs", "30")
        made[-1].shows("+19 more")
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_rows_stay_in_place_whatever_the_size_and_leave_nothing_behind(shown: Callable[..., Tmux]) -> None:
    terminal = shown(100, 40)
    terminal.shows("a-rather-long-name-of-a-phase-10", "phase 10 漢字 wide 🎉 text")
    for columns in (50, 140, 44, 90):
        terminal.resize(columns, 40)
        terminal.until(lambda columns=columns: is_one_frame(terminal, columns))  # type: ignore[misc]
    (terminal.folder / "go").write_text("")
    assert terminal.ended() == 0
    left = terminal.screen()
    assert left.count("▸") < 11
    assert "✓ a-rather-long-name-of-a-phase-" in left
    assert "build completed in" in left


def is_one_frame(terminal: Tmux, columns: int) -> bool:
    """Whether the last rows are whole, each in one line that has been cut for this width, and hardly any are above.

    A size that changes in the middle of a write may leave what nobody can find again.
    """
    lines = terminal.screen().rstrip("\n").splitlines()
    frame, above = lines[-13:], lines[:-13]
    rows = frame[1:12]
    return (
        len(frame) == 13
        and "0/30 phases" in frame[0]
        and all("▸" in row for row in rows)
        and len(rows[-1].split()[1]) == min(32, columns // 2 - 4)
        and "+19 more" in frame[12]
        and len([line for line in above if "phases" in line]) <= 1
    )


def test_a_low_terminal_shows_fewer_rows(shown: Callable[..., Tmux]) -> None:
    terminal = shown(100, 40)
    terminal.resize(100, 10)
    terminal.shows("+24 more")
    (terminal.folder / "go").write_text("")
    assert terminal.ended() == 0
    assert "build completed in" in terminal.screen()
