"""Run: what the sagas of one run share, from what it is given to what it has come to."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from milo.action import Action
from milo.pipeline.graph import Graph
from milo.pipeline.phase import Phase
from milo.pipeline.schedule import Schedule
from milo.saga.channel import Channel
from milo.saga.effects import Put

__all__ = ["Resumption", "Run", "Times"]


class Times(Protocol):
    """Where the times in the actions come from; every Clock will do."""

    def now(self) -> float: ...

    def time(self) -> float: ...


class Resumption(NamedTuple):
    """What a run that goes on has from before.

    Attributes:
        kept: The phases that are completed, with what they returned.
        skipped: Those that were skipped, and stay so.
        again: Those that were done and run again all the same.
    """

    kept: Mapping[str, Any]
    skipped: Collection[str] = ()
    again: Sequence[str] = ()

    def done(self, phases: Sequence[Phase]) -> frozenset[int]:
        """The numbers of the phases that do not run."""
        names = {*self.kept, *self.skipped}
        return frozenset([number for number, phase in enumerate(phases) if phase.name in names])


_FROM_THE_BEGINNING: Final = Resumption({})


class Run:
    """What the sagas of one run share. They run one at a time, so it needs no lock.

    Args:
        phases: The phases in declared order.
        graph: Their graph.
        run_id: Names the run in its actions.
        clock: Where times come from.
        limit: How many phases run at once; None asks the runner, and takes `default_limit` where there is none.
        default_limit: As said.
        capture: Whether handlers' output becomes log lines.
        keep_going: Whether phases that do not depend on a failed one still run.
        fail_fast: Whether a failure cancels what is running.
        results: Gets the phases' results by name.
        grace: Seconds that what is cancelled may take to end, where it can be interrupted at all.
        resumption: What is there already; None for a run from its beginning.
        traces: Whether the traceback of a failed attempt goes to the log of its phase.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        graph: Graph,
        *,
        run_id: str,
        clock: Times | None = None,
        limit: int | None = None,
        default_limit: int = 2,
        capture: bool = False,
        keep_going: bool = False,
        fail_fast: bool = False,
        results: dict[str, Any] | None = None,
        grace: float = 5.0,
        resumption: Resumption | None = None,
        traces: bool = False,
    ) -> None:
        self.phases = phases
        self.traces = traces
        self.resumption = resumption
        done = (resumption or _FROM_THE_BEGINNING).done(phases)
        self.schedule = Schedule(phases, graph, limit if limit is not None else default_limit, done)
        self.limit_is_known = limit is not None
        self.run_id = run_id
        self.now = clock.now if clock is not None else time.monotonic
        self.time = clock.time if clock is not None else time.time
        self.capture = capture
        self.keep_going = keep_going
        self.fail_fast = fail_fast
        self.results = results if results is not None else {}
        if resumption is not None:
            self.results.update(resumption.kept)
        self.grace = grace
        self.attempts: dict[int, int] = {}
        # From the lanes to the scheduler: more could run, a retry wants to wait, or nothing runs any more.
        self.changed = Channel()
        self.delayed: list[tuple[int, float]] = []
        self.lanes: dict[object, Any] = {}
        self.waiting: dict[int, Any] = {}
        # The last error of each parallel phase between its retry and its next start, whatever it waits for.
        self.retrying: dict[int, str] = {}
        self.failed = False
        self.stopped = False
        self.interrupted = False

    def stop(self) -> None:
        """Let no further phase start."""
        if not self.stopped:
            self.stopped = True
            self.schedule.stop()
            self.changed.put()

    def put(self, type: str, name: str, **fields: Any) -> Put:
        return Put(Action(type, {"name": name, **fields, "at": self.now()}))
