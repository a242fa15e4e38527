"""Pipeline: phases and their dependencies, checked when declared; it generates the reducer and the saga."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

from milo.action import Action
from milo.errors import CycleError, PipelineError
from milo.execution import default_workers
from milo.pipeline.checks import is_printable
from milo.pipeline.graph import Graph, check_dependencies, unknown_phase
from milo.pipeline.phase import Phase
from milo.pipeline.reducer import make_reducer
from milo.pipeline.run import Resumption, Run, Times
from milo.pipeline.saga import drive
from milo.pipeline.state import PipelineState, Roster
from milo.saga.effects import Saga

__all__ = ["Pipeline", "new_run_id"]


class _Declared:
    """Phases in a list that only grows; pipelines made by ``>>`` share it, each with its own length."""

    __slots__ = ("lock", "numbers", "phases")

    def __init__(self, phases: list[Phase], numbers: dict[str, int]) -> None:
        self.lock = threading.Lock()
        self.phases = phases
        self.numbers = numbers


class Pipeline:
    """A graph of phases. Immutable: ``>>`` and `replace` return a new one.

    Args:
        name: For people, and for recognising its runs.
        phases: In the order in which they are shown.
        capture_output: Whether what handlers print becomes log lines of their phase.
        fail_fast: Whether a failure cancels the phases that are running.

    Raises:
        PipelineError: A name is refused or stands twice, or a dependency does not exist.
        CycleError: Phases depend on each other in a circle.
    """

    def __init__(
        self, name: str, *phases: Phase, capture_output: bool = False, fail_fast: bool = False
    ) -> None:
        if not isinstance(name, str) or not name.strip() or not is_printable(name):
            raise PipelineError(
                f"A pipeline name must be a printable string, got {name!r}.", hint='Name it like "build".'
            )
        self.name = name
        self.capture_output = bool(capture_output)
        self.fail_fast = bool(fail_fast)
        numbers: dict[str, int] = {}
        for phase in phases:
            _check_phase(phase, numbers)
            numbers[phase.name] = len(numbers)
        for phase in phases:
            if phase.depends_on:
                check_dependencies(phase, numbers)
        self._declared = _Declared(list(phases), numbers)
        self._size = len(phases)
        if any(phase.depends_on for phase in phases):
            _ = self.graph  # refuses circles

    def __rshift__(self, phase: Phase) -> Pipeline:
        """A new pipeline with `phase` appended; this one is unchanged."""
        if not isinstance(phase, Phase):
            return NotImplemented
        declared, size = self._declared, self._size
        with declared.lock:
            if len(declared.phases) != size:
                # Another pipeline has been made of this one already: part ways with it.
                phases = declared.phases[:size]
                declared = _Declared(phases, {each.name: number for number, each in enumerate(phases)})
            _check_phase(phase, declared.numbers)
            # It may name itself, which is a circle; nothing earlier can depend on it, so no other can arise.
            if phase.name in phase.depends_on:
                raise CycleError((phase.name, phase.name))
            check_dependencies(phase, declared.numbers)
            declared.phases.append(phase)
            declared.numbers[phase.name] = size
        new = self._copy()
        new._declared = declared
        new._size = size + 1
        return new

    def _copy(self) -> Pipeline:
        new: Pipeline = object.__new__(type(self))
        new.name = self.name
        new.capture_output = self.capture_output
        new.fail_fast = self.fail_fast
        new._declared = self._declared
        new._size = self._size
        return new

    def replace(self, *, capture_output: bool | None = None, fail_fast: bool | None = None) -> Pipeline:
        """The same phases with other flags."""
        new = self._copy()
        if capture_output is not None:
            new.capture_output = capture_output
        if fail_fast is not None:
            new.fail_fast = fail_fast
        return new

    def subset(self, names: Iterable[str]) -> Pipeline:
        """The phases called `names` and what they need, as a pipeline of its own.

        Raises:
            PipelineError: There is no such phase.
        """
        wanted: set[str] = set()
        queue = [self.phase(name).name for name in ([names] if isinstance(names, str) else names)]
        for name in queue:  # grows while it is walked
            if name not in wanted:
                wanted.add(name)
                queue += self.phase(name).depends_on
        phases = [phase for phase in self.phases if phase.name in wanted]
        return type(self)(self.name, *phases, capture_output=self.capture_output, fail_fast=self.fail_fast)

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in declared order."""
        return tuple(self._declared.phases[: self._size])

    def phase(self, name: str) -> Phase:
        """The phase called `name`. Raises PipelineError with the nearest name when there is none."""
        number = self._declared.numbers.get(name, self._size)
        if number >= self._size:
            raise unknown_phase(f"Phase {name!r}", str(name), {each.name: 0 for each in self.phases})
        return self._declared.phases[number]

    @cached_property
    def graph(self) -> Graph:
        """The phases by number: who waits for whom, and who comes first."""
        return Graph(self.phases, self._declared.numbers)

    @cached_property
    def _roster(self) -> Roster:
        phases = self.phases
        return Roster(
            self.name,
            [phase.name for phase in phases],
            [phase.weight for phase in phases],
            [phase.max_logs for phase in phases],
        )

    def execution_order(self) -> list[str]:
        """The names level by level (a level waits only for those before it), sorted inside a level."""
        phases = self.phases
        return [
            name
            for level in self.graph.levels()
            for name in sorted([phases[number].name for number in level])
        ]

    def build_reducer(self) -> Callable[[PipelineState | None, Action], PipelineState]:
        """The pure reducer of this pipeline's runs, for a Store."""
        return make_reducer(self.name, self._roster)

    def build_saga(
        self,
        *,
        max_workers: int | None = None,
        keep_going: bool = False,
        clock: Times | None = None,
        run_id: str | None = None,
        results: dict[str, Any] | None = None,
        grace: float = 5.0,
        resumption: Resumption | None = None,
        traces: bool = False,
    ) -> Callable[[], Saga]:
        """What runs this pipeline on a Store: a callable that returns the generator.

        Args:
            max_workers: How many phases run at once; as many as the store can run by default.
            keep_going: Whether phases that do not depend on a failed one still run.
            clock: Where the times in the actions come from; the system's by default.
            run_id: Names the run in its actions; made up by default.
            results: Gets the phases' results by name.
            grace: Seconds that what is cancelled may take to end, where it can be interrupted at all.
            resumption: What an earlier part of the run has left; None for a run from its beginning.
            traces: Whether the traceback of a failed attempt goes to the log of its phase.
        """

        def saga() -> Saga:
            run = Run(
                self.phases,
                self.graph,
                run_id=run_id or new_run_id(),
                clock=clock,
                limit=max_workers,
                default_limit=default_workers(),
                capture=self.capture_output,
                keep_going=keep_going,
                fail_fast=self.fail_fast,
                results=results,
                grace=grace,
                resumption=resumption,
                traces=traces,
            )
            return drive(run)

        return saga

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}: {self._size} phases>"

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(type(self), capture_output=self.capture_output, fail_fast=self.fail_fast)
        return make, (self.name, *self.phases)


def new_run_id() -> str:
    """A name for a run: when it began (UTC), and what tells it from others of that second."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"


def _check_phase(phase: object, numbers: dict[str, int]) -> None:
    if not isinstance(phase, Phase):
        several = isinstance(phase, list | tuple) and any(isinstance(each, Phase) for each in phase)
        raise PipelineError(
            f"A pipeline is made of phases, got {f'a {type(phase).__name__} of them' if several else repr(phase)}.",
            hint="Unpack it: Pipeline(name, *phases)." if several else "Wrap it: Phase(name, handler).",
        )
    if phase.name in numbers:
        raise PipelineError(
            f"The phase name {phase.name!r} stands twice.", hint="Give each phase a name of its own."
        )
