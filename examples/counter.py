"""A counter, the smallest App: python examples/counter.py."""

from __future__ import annotations

from typing import Any

from milo import Action, App, Key, Quit, SpecialKey

TEMPLATE = """
  {{ "Count"|bold }} {{ state|pad(4, "right")|cyan }}  {{ meter(state / 20, columns // 2)|cyan }}

  {{ hints(columns - 4, [["↑↓", "count"], ["0", "start again"], ["q", "quit"]]) }}
"""


def reducer(state: int | None, action: Action) -> Any:
    state = state or 0
    match action:
        case Action("@@KEY", Key(name=SpecialKey.UP)):
            return state + 1
        case Action("@@KEY", Key(name=SpecialKey.DOWN)):
            return state - 1
        case Action("@@KEY", Key("0")):
            return 0
        case Action("@@KEY", Key("q")):
            return Quit(state)
    return state


if __name__ == "__main__":
    print("You counted to", App(TEMPLATE, reducer).run())
