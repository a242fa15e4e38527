"""What counts as a change, and how often a loop is woken for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from milo import PhaseStatus, PipelineState
from milo.pipeline.state import PhaseLog
from milo.views.mcp import updates as module
from milo.views.mcp.addresses import GRAPH, TIMELINE, logs_uri
from milo.views.mcp.look import Look
from milo.views.mcp.updates import changed
from tests.journal.world import pipeline_of
from tests.views.mcp.world import in_threads, look_at, state_of


class Loop:
    """An event loop that counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def call_soon_threadsafe(self, work: Callable[[], object]) -> None:
        self.woken += 1


def test_a_loop_is_woken_once_however_often_and_from_wherever_it_rings() -> None:
    loop = Loop()
    alarm = module._Alarm(loop, asyncio.Event())  # type: ignore[arg-type]
    for _ in range(1000):
        alarm.ring()
    assert loop.woken == 1
    alarm.set()
    in_threads(4, lambda: [alarm.ring() for _ in range(1000)])
    # Threads that ring at the same moment may each wake it.
    assert 2 <= loop.woken <= 5


def test_who_publishes_does_not_notice_that_the_loop_is_gone() -> None:
    loop = asyncio.new_event_loop()
    alarm = module._Alarm(loop, asyncio.Event())
    loop.close()
    alarm.ring()


STATE = PipelineState("p", [PhaseStatus("a", "running"), PhaseStatus("b")], status="running")
OTHER = PipelineState(
    "p", [PhaseStatus("a", "running", logs=[PhaseLog("x")]), PhaseStatus("b")], status="running"
)
PHASES = pipeline_of("a", "b").phases
A, B, UNKNOWN = logs_uri("a"), logs_uri("b"), logs_uri("c")
EVERY = {TIMELINE, GRAPH, A, B, UNKNOWN}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, set()),
        (None, look_at(STATE), EVERY),
        (look_at(STATE), None, EVERY),
        (look_at(STATE), look_at(STATE), set()),
        (look_at(STATE), look_at(STATE, now=3.0), set()),
        (look_at(STATE), look_at(OTHER), {TIMELINE, A}),
        (look_at(STATE), look_at(STATE, status="interrupted"), EVERY - {GRAPH}),
        (look_at(STATE), look_at(STATE, run="r2"), EVERY),
        (look_at(STATE), look_at(STATE, note="damaged"), EVERY),
        (look_at(STATE), look_at(STATE, phases=PHASES), {GRAPH}),
        (look_at(STATE), look_at(state_of("completed")), {TIMELINE, A, B}),
    ],
)  # fmt: skip
def test_an_address_has_changed_when_what_it_shows_looks_different(
    before: Look | None, after: Look | None, expected: set[str]
) -> None:
    assert {uri for uri in EVERY if changed(uri, before, after)} == expected
