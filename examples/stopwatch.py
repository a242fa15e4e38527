"""A stopwatch, an App that ticks while it runs and costs nothing while it does not: python examples/stopwatch.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from milo import Action, App, Key, Quit, ReducerResult, TickCmd

TEMPLATE = """
  {{ (state.tenths / 10)|round(1) }} s  {{ "running"|green if state.running else "stopped"|yellow }}

  {{ hints(columns - 4, [["Space", "start or stop"], ["q", "quit"]]) }}
"""


@dataclass(frozen=True)
class Watch:
    running: bool = False
    ticking: bool = False  # one more tick comes after the stop
    tenths: int = 0


def reducer(state: Watch | None, action: Action) -> Any:
    state = state or Watch()
    match action:
        case Action("@@KEY", Key(" ")):
            ticks = [] if state.running or state.ticking else [TickCmd(0.1)]
            return ReducerResult(replace(state, running=not state.running, ticking=True), cmds=ticks)
        case Action("@@TICK"):
            ticked = replace(state, ticking=state.running, tenths=state.tenths + state.running)
            return ReducerResult(ticked, cmds=[TickCmd(0.1)] if state.running else [])
        case Action("@@KEY", Key("q")):
            return Quit(state)
    return state


if __name__ == "__main__":
    App(TEMPLATE, reducer).run()
