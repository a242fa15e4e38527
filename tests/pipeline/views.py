"""Views of runs for the tests of the detail view, and fingers for its keys."""

from __future__ import annotations

from typing import Any

from milo.action import Action
from milo.pipeline.detail import PipelineViewState, make_detail_reducer
from milo.pipeline.reducer import make_reducer
from milo.pipeline.state import PhaseLog, PhaseStatus, PipelineState, Roster
from milo.terminal import KEY, Key, SpecialKey

NAMES = ["fetch", "parse", "render", "write"]
UP, DOWN = Key(name=SpecialKey.UP), Key(name=SpecialKey.DOWN)
HOME, END = Key(name=SpecialKey.HOME), Key(name=SpecialKey.END)
PAGE_UP, PAGE_DOWN = Key(name=SpecialKey.PAGE_UP), Key(name=SpecialKey.PAGE_DOWN)
LEFT, RIGHT = Key(name=SpecialKey.LEFT), Key(name=SpecialKey.RIGHT)
ENTER, ESCAPE = Key(name=SpecialKey.ENTER), Key(name=SpecialKey.ESCAPE)
BACKSPACE = Key(name=SpecialKey.BACKSPACE)

inner = make_reducer("build", Roster("build", NAMES, [1.0] * 4, [100] * 4))
reducer = make_detail_reducer(inner)


def view(statuses: str = "pppp", lines: int = 0, **fields: Any) -> PipelineViewState:
    """A view of phases with these statuses (p: pending, r: running, f: failed), the first with that many log lines."""
    words = {"p": "pending", "r": "running", "f": "failed"}
    logs = [PhaseLog(f"line {number}") for number in range(lines)]
    phases = [
        PhaseStatus(name, words[status], logs=[] if number else logs)
        for number, (name, status) in enumerate(zip(NAMES, statuses, strict=False))
    ]
    return PipelineViewState(PipelineState("build", phases, status="running"), **fields)


def press(state: Any, *keys: Key | str) -> Any:
    for key in keys:
        state = reducer(state, Action(KEY, Key(key) if isinstance(key, str) else key))
    return state


def log(state: Any, count: int = 1, name: str = "fetch") -> Any:
    for number in range(count):
        state = reducer(state, Action("@@PHASE_LOG", {"name": name, "line": f"new {number}"}))
    return state
