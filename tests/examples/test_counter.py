"""The counter counts, and is as short as an example should be."""

from __future__ import annotations

import runpy
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from milo import Action, App, Key, Quit, SpecialKey

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COUNTER = runpy.run_path(str(EXAMPLES / "counter.py"))


def pressed(*keys: Key) -> Any:
    return reduce(COUNTER["reducer"], [Action("@@KEY", key) for key in keys], None)


def test_the_arrows_count_and_zero_starts_again() -> None:
    up, down = Key(name=SpecialKey.UP), Key(name=SpecialKey.DOWN)
    assert pressed(up, up, down, up) == 2
    assert pressed(up, up, Key("0"), down) == -1
    assert pressed(up, Key("q")) == Quit(1)


def test_the_picture_shows_the_count() -> None:
    app = App(COUNTER["TEMPLATE"], COUNTER["reducer"], 5)
    assert app.render(40, 6).splitlines()[1] == "  Count    5  ━━━━━───────────────"
    app.store.shutdown()


@pytest.mark.parametrize("name", ["counter.py", "stopwatch.py", "detail.py"])
def test_an_example_of_an_app_is_shorter_than_forty_lines(name: str) -> None:
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) < 40
