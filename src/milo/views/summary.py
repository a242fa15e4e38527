"""The end of a run in a few lines: what came of it, what failed and why, and where time was given away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from milo.action import Action
from milo.pipeline import Phase, PhaseStatus, Pipeline, PipelineState
from milo.views.format import MOST_NAMED, Output, Painter, kept_output, some
from milo.words import count, duration

__all__ = ["SummaryView", "alone_hint", "longest_path"]

_LAST_LINES = 10
_COLORS = {"completed": "green", "failed": "red", "cancelled": "yellow"}


class SummaryView:
    """Writes the summary when the run has ended.

    Args:
        pipeline: What ran; its dependencies say whether phases ran alone for no reason.
        out: Where the summary goes.
        color: Whether colour sequences may be written.
        quiet: Say nothing but failures.
        workers: How many phases could run at once, when that was set; with one there is no hint.
        output_path: Tells where the complete output of a phase stands; None where nothing is recorded.
        output_cut: Tells whether that may lack lines at its end, because it could not be written any more.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        out: Output,
        *,
        color: bool = False,
        quiet: bool = False,
        workers: int | None = None,
        output_path: Callable[[str], Path] | None = None,
        output_cut: Callable[[], bool] = lambda: False,
    ) -> None:
        self._pipeline = pipeline
        self._out = out
        self._paint = Painter(color)
        self._quiet = quiet
        self._workers = workers
        self._output_path = output_path
        self._output_cut = output_cut

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        """The final state holds everything that the summary says."""

    def close(self, state: PipelineState) -> None:
        phases = state.phases
        failed = [phase for phase in phases if phase.status == "failed"]
        if self._quiet and not failed and state.status != "failed":
            return
        lines = self._failures(failed)
        if not self._quiet:
            lines += self._named("skipped", phases) + self._named("cancelled", phases)
        lines.append(self._status_line(state, phases))
        if (
            not self._quiet
            and self._workers != 1
            and (hint := alone_hint(self._pipeline, phases, state.elapsed))
        ):
            lines.append(self._paint(hint, "dim"))
        self._out.write("\n".join(lines) + "\n")

    def _status_line(self, state: PipelineState, phases: Sequence[PhaseStatus]) -> str:
        counts: dict[str, int] = {}
        for phase in phases:
            status = "not started" if phase.status == "pending" else phase.status
            counts[status] = counts.get(status, 0) + 1
        order = ("completed", "skipped", "failed", "cancelled", "retrying", "running", "not started")
        told = ", ".join(f"{counts[status]} {status}" for status in order if status in counts) or "no phases"
        head = self._paint(f"{state.name} {state.status}", _COLORS.get(state.status, "bold"), "bold")
        return f"{head} in {duration(state.elapsed)}: {told}"

    def _failures(self, failed: Sequence[PhaseStatus]) -> list[str]:
        lines: list[str] = []
        for phase in failed[:MOST_NAMED]:
            attempts = f", attempt {phase.attempt}" if phase.attempt > 1 else ""
            title = self._paint(f"{phase.name} failed", "red", "bold")
            lines.append(f"{title} after {duration(phase.elapsed)}{attempts}")
            lines += [f"  {line}" for line in self._paint.foreign(phase.error or "").splitlines()]
            last = phase.logs[-_LAST_LINES:]
            if last:
                lines.append(
                    self._paint("  its last line:" if len(last) == 1 else "  its last lines:", "dim")
                )
            for log in last:
                mark = self._paint("!" if log.stream == "stderr" else "|", "dim")
                lines.append(f"  {mark} {self._paint.foreign(log.line)}")
            if last and self._output_path is not None and (path := self._output_path(phase.name)).exists():
                lines.append(self._paint(f"  {kept_output(cut=self._output_cut())}: {_shown(path)}", "dim"))
        if len(failed) > MOST_NAMED:
            lines.append(f"and {count(len(failed) - MOST_NAMED, 'more failed phase')}")
        return lines

    def _named(self, status: str, phases: Sequence[PhaseStatus]) -> list[str]:
        names = [phase.name for phase in phases if phase.status == status]
        return [f"{self._paint(status, 'yellow')}: {some(names)}"] if names else []


def _shown(path: Path) -> str:
    """A path as short as it can be said from the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def longest_path(phases: Iterable[Phase], seconds: dict[str, float]) -> float:
    """Add up the durations along the slowest chain of dependencies.

    Args:
        phases: The declared phases, in any order.
        seconds: How long each phase took; one that is missing took no time.

    Returns:
        Seconds: what the run would have taken with workers without end and nothing exclusive.
    """
    needs = {phase.name: phase.depends_on for phase in phases}
    ends: dict[str, float] = {}
    for name in needs:
        stack = [name]
        while stack:
            top = stack[-1]
            waiting = [need for need in needs[top] if need not in ends] if top not in ends else []
            if waiting:
                stack += waiting
                continue
            stack.pop()
            if top not in ends:
                ends[top] = max((ends[need] for need in needs[top]), default=0.0) + seconds.get(top, 0.0)
    return max(ends.values(), default=0.0)


def alone_hint(pipeline: Pipeline, statuses: Sequence[PhaseStatus], elapsed: float) -> str:
    """Say which phases ran alone although others could have run beside them; empty when it does not matter.

    Args:
        pipeline: What ran.
        statuses: Its phases at the end of the run.
        elapsed: Seconds that the whole run took.
    """
    seconds = {status.name: status.elapsed for status in statuses}
    best = longest_path(pipeline.phases, seconds)
    if elapsed - best < max(0.5, 0.1 * elapsed):
        return ""
    noticeable = max(0.1, 0.02 * elapsed)
    slow = sorted(
        (
            phase
            for phase in pipeline.phases
            if not phase.parallel and seconds.get(phase.name, 0.0) >= noticeable
        ),
        key=lambda phase: -seconds[phase.name],
    )
    # Few phases can be noticeable, so looking at each one's relatives stays cheap at any size.
    names = [phase.name for phase in slow if _others(pipeline, phase.name, seconds) >= noticeable]
    if not names:
        return ""
    return (
        f"took {duration(elapsed)}, longest path {duration(best)}; these phases ran alone: {some(names)}; "
        "consider parallel=True"
    )


def _others(pipeline: Pipeline, name: str, seconds: dict[str, float]) -> float:
    """Seconds of the phases that neither need `name` nor are needed by it."""
    needs: dict[str, Sequence[str]] = {phase.name: phase.depends_on for phase in pipeline.phases}
    needed_by: dict[str, list[str]] = {phase: [] for phase in needs}
    for phase, dependencies in needs.items():
        for dependency in dependencies:
            needed_by[dependency].append(phase)
    related = _reach(name, needs) | _reach(name, needed_by)
    return sum(took for phase, took in seconds.items() if phase not in related)


def _reach(start: str, edges: dict[str, Sequence[str]] | dict[str, list[str]]) -> set[str]:
    seen = {start}
    stack = [start]
    while stack:
        for name in edges[stack.pop()]:
            if name not in seen:
                seen.add(name)
                stack.append(name)
    return seen
