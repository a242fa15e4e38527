"""The named points: each is reached by what the writer does, and without a hook they do nothing."""

from __future__ import annotations

import re
from pathlib import Path

from milo.journal import faults


def test_hook_hears_of_a_point() -> None:
    """A hook hears the name of each point, until it is taken away."""
    heard: list[str] = []
    faults.set_hook(heard.append)
    try:
        faults.reached("connected")
    finally:
        faults.set_hook(None)
    faults.reached("connected")
    assert heard == ["connected"]


def test_points_are_those_in_the_code() -> None:
    """The list of points names exactly those that the code has."""
    folder = Path(faults.__file__).parent
    found = {
        point
        for file in folder.glob("*.py")
        for point in re.findall(r'reached\("([^"]+)"\)', file.read_text("utf-8"))
    }
    assert found == set(faults.POINTS)
    assert len(faults.POINTS) >= 20
