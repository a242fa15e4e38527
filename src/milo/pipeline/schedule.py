"""Schedule: which phase may start next. Plain bookkeeping without effects, used under one baton."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heappop, heappush

from milo.pipeline.graph import Graph
from milo.pipeline.phase import Phase

__all__ = ["Schedule"]


class Schedule:
    """Ready phases by priority, and what holds them back.

    Work-conserving: while anything runs, ready parallel phases start in order of priority. An exclusive phase
    starts only when nothing runs and it comes first of all that is ready.

    Args:
        phases: In declared order.
        graph: Their graph.
        limit: How many phases run at once.
        done: The phases that were done before, by number.
    """

    __slots__ = (
        "_by_rank",
        "_exclusive",
        "_missing",
        "_parallel",
        "_phases",
        "_ranks",
        "_stopped",
        "graph",
        "limit",
        "running",
    )

    def __init__(
        self, phases: Sequence[Phase], graph: Graph, limit: int, done: Collection[int] = frozenset()
    ) -> None:
        self.graph = graph
        self.limit = limit
        self.running = 0
        self._stopped = False
        self._phases = phases
        self._ranks = graph.priority
        self._by_rank = [0] * len(phases)
        for number, rank in enumerate(graph.priority):
            self._by_rank[rank] = number
        self._missing = [len(each) for each in graph.dependencies]
        self._parallel: list[int] = []
        self._exclusive: list[int] = []
        for number in done:
            for successor in graph.successors[number]:
                self._missing[successor] -= 1
        for number, missing in enumerate(self._missing):
            if not missing and number not in done:
                self.push(number)

    def push(self, number: int) -> None:
        """Make a phase ready, unless nothing shall start any more."""
        if self._stopped:
            return
        heappush(self._parallel if self._phases[number].parallel else self._exclusive, self._ranks[number])

    def release(self, number: int) -> None:
        """Note that a phase is done: what waited for it alone becomes ready."""
        missing = self._missing
        for successor in self.graph.successors[number]:
            missing[successor] -= 1
            if not missing[successor]:
                self.push(successor)

    def take_exclusive(self) -> int | None:
        """The exclusive phase that may start now; it counts as running from here on."""
        exclusive = self._exclusive
        if self.running or not exclusive or (self._parallel and self._parallel[0] < exclusive[0]):
            return None
        self.running = 1
        return self._by_rank[heappop(exclusive)]

    def take_parallel(self) -> list[int]:
        """The parallel phases that may start now, in order of priority; they count as running from here on."""
        taken = []
        while (number := self.next_parallel()) is not None:
            taken.append(number)
        return taken

    def next_parallel(self) -> int | None:
        """The parallel phase that may start now and comes first; it counts as running from here on."""
        parallel = self._parallel
        if not parallel or self.running >= self.limit:
            return None
        if not self.running and self._exclusive and self._exclusive[0] < parallel[0]:
            return None
        self.running += 1
        return self._by_rank[heappop(parallel)]

    def has_room(self) -> bool:
        """Whether another parallel phase may start beside those that run."""
        return bool(self._parallel) and 0 < self.running < self.limit

    def put_back(self, numbers: Sequence[int]) -> None:
        """Make phases ready again that were taken and not started."""
        for number in numbers:
            self.running -= 1
            self.push(number)

    def leave(self) -> None:
        """One phase no longer runs."""
        self.running -= 1

    def stop(self) -> None:
        """Let nothing start any more."""
        self._stopped = True
        self._parallel.clear()
        self._exclusive.clear()
