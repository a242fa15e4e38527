"""The stopwatch ticks while it runs, and no faster however often it is started and stopped."""

from __future__ import annotations

import runpy
from pathlib import Path

from milo import Action, App, Key
from milo.testing import FakeClock

WATCH = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "stopwatch.py"))
SPACE = Action("@@KEY", Key(" "))


def test_it_ticks_while_it_runs_and_only_then() -> None:
    clock = FakeClock()
    app = App(WATCH["TEMPLATE"], WATCH["reducer"], clock=clock)
    with app.store as store:
        store.dispatch(Action("@@INIT"))
        assert clock.next_due() is None
        store.dispatch(SPACE)
        clock.advance(1.0)
        assert "  1.0 s  running" in app.render()
        store.dispatch(SPACE)
        clock.advance(5.0)
        assert "  1.0 s  stopped" in app.render()
        assert clock.next_due() is None


def test_starting_and_stopping_quickly_makes_it_no_faster() -> None:
    clock = FakeClock()
    app = App(WATCH["TEMPLATE"], WATCH["reducer"], clock=clock)
    with app.store as store:
        for _ in range(5):
            store.dispatch(SPACE)
        clock.advance(1.0)
        assert store.state.tenths == 10
