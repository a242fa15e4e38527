"""Graph: the phases by number, who waits for whom, levels, priorities and cycles; nothing here recurses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milo.errors import CycleError, PipelineError
from milo.pipeline.phase import Phase

__all__ = ["Graph", "check_dependencies", "unknown_phase"]


class Graph:
    """A pipeline's phases as numbers in declared order.

    Attributes:
        dependencies: For each phase the numbers of those it waits for.
        successors: For each phase the numbers of those that wait for it, in declared order.
        priority: For each phase its rank: 0 is the one to start first. The longest remaining path by weight comes
            first (list scheduling by critical path), then the declared order.
    """

    __slots__ = ("dependencies", "order", "priority", "successors")

    def __init__(self, phases: Sequence[Phase], numbers: Mapping[str, int]) -> None:
        self.dependencies = [
            tuple([numbers[name] for name in phase.depends_on]) if phase.depends_on else ()
            for phase in phases
        ]
        self.successors: list[list[int]] = [[] for _ in phases]
        for number, dependencies in enumerate(self.dependencies):
            for dependency in dependencies:
                self.successors[dependency].append(number)
        self.order = self._topological_order(phases)
        self.priority = self._priorities(phases)

    def _topological_order(self, phases: Sequence[Phase]) -> list[int]:
        """Kahn's algorithm, 1962: an order in which dependencies come first. Raises CycleError."""
        missing = [len(each) for each in self.dependencies]
        order = [number for number, count in enumerate(missing) if not count]
        for number in order:  # grows while it is walked
            for successor in self.successors[number]:
                missing[successor] -= 1
                if not missing[successor]:
                    order.append(successor)
        if len(order) < len(phases):
            raise CycleError(self._cycle(phases, missing))
        return order

    def _cycle(self, phases: Sequence[Phase], missing: Sequence[int]) -> tuple[str, ...]:
        """Some circle among the phases that never became ready: walking back among them must meet itself."""
        number = next(each for each, count in enumerate(missing) if count)
        place: dict[int, int] = {}
        path: list[int] = []
        while number not in place:
            place[number] = len(path)
            path.append(number)
            number = next(each for each in self.dependencies[number] if missing[each])
        circle = [*path[place[number] :], number]
        start = circle.index(min(circle))
        circle = [*circle[start:-1], *circle[:start], circle[start]]
        return tuple([phases[each].name for each in circle])

    def _priorities(self, phases: Sequence[Phase]) -> list[int]:
        remaining = [0.0] * len(phases)
        for number in reversed(self.order):
            longest = max([remaining[each] for each in self.successors[number]], default=0.0)
            remaining[number] = longest + phases[number].weight
        ranked = sorted(range(len(phases)), key=lambda number: (-remaining[number], number))
        priority = [0] * len(phases)
        for rank, number in enumerate(ranked):
            priority[number] = rank
        return priority

    def levels(self) -> list[list[int]]:
        """The phases by the length of the longest chain of dependencies before them."""
        depth = [0] * len(self.dependencies)
        levels: list[list[int]] = []
        for number in self.order:
            depth[number] = max([depth[each] + 1 for each in self.dependencies[number]], default=0)
            if depth[number] == len(levels):
                levels.append([])
            levels[depth[number]].append(number)
        return levels


def check_dependencies(phase: Phase, numbers: Mapping[str, int]) -> None:
    """Raise PipelineError when a dependency of `phase` is not among the declared names."""
    for dependency in phase.depends_on:
        if dependency not in numbers:
            raise unknown_phase(f"Phase {phase.name!r} depends on {dependency!r}, which", dependency, numbers)


def unknown_phase(subject: str, name: str, numbers: Mapping[str, int]) -> PipelineError:
    """The refusal of a name that no phase has, with the nearest one that there is."""
    names = list(numbers)
    shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    import difflib  # for a mistake only

    near = difflib.get_close_matches(name, names[:10_000], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else ""
    return PipelineError(f"{subject} does not exist. Available phases: {shown or 'none'}.", hint=hint)
