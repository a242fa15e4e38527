"""What resuming a run would do: which phases are kept, which run again, and why. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from milo.journal.code_digest import PYTHON
from milo.journal.declared import DeclaredPhase
from milo.journal.fingerprint import change
from milo.journal.replay import Completion, Replay

__all__ = ["Decision", "Plan", "plan"]

_WHY = {
    "failed": "it failed",
    "cancelled": "it was cancelled",
    "running": "it was running",
    "retrying": "it was waiting for a retry",
    "pending": "it was not started",
}


class Decision(NamedTuple):
    """What becomes of a phase.

    Attributes:
        phase: Its name.
        runs: Whether it runs; otherwise its recorded result is kept.
        reason: Why, as the end of a sentence.
    """

    phase: str
    runs: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"phase": self.phase, "runs": self.runs, "reason": self.reason}


class Plan(NamedTuple):
    """What becomes of all phases, in declared order."""

    decisions: list[Decision]
    kept: list[str]
    again: list[str]
    """Those that were done and run again all the same."""


def plan(
    recorded: Replay, phases: Sequence[DeclaredPhase], lost: Mapping[str, str], *, python: str = PYTHON
) -> Plan:
    """Plan how to go on with a run.

    Args:
        recorded: The run so far.
        phases: What is declared today.
        lost: The phases whose results cannot be restored, each with the reason.
        python: The Python of today's fingerprints.
    """
    done = recorded.completions
    changed = dict(_changed(recorded, phases, python))
    outdated = _dependents(phases, changed)
    decisions = []
    for phase in phases:
        name = phase.name
        completion = done.get(name)
        if completion is None:
            decisions.append(Decision(name, True, _unfinished(recorded, name)))
        elif name in changed:
            decisions.append(Decision(name, True, changed[name]))
        elif name in outdated:
            decisions.append(Decision(name, True, f"it depends on {outdated[name]}, which changed"))
        elif name in lost or not _is_kept(completion):
            decisions.append(Decision(name, True, _not_kept(completion, lost.get(name, ""))))
        else:
            decisions.append(Decision(name, False, _kept(recorded, name)))
    return Plan(
        decisions,
        [each.phase for each in decisions if not each.runs],
        [each.phase for each in decisions if each.runs and each.phase in done],
    )


def _changed(recorded: Replay, phases: Iterable[DeclaredPhase], python: str) -> Iterable[tuple[str, str]]:
    """The phases that are not what they were, and what changed of them."""
    declared = {phase.name: phase for phase in recorded.phases}
    then_python = recorded.about.python if recorded.about is not None else python
    for phase in phases:
        done = recorded.completions.get(phase.name)
        # What has nothing to keep may have changed as well, and outdate what was done with its earlier result.
        then = done.declared if done is not None else declared.get(phase.name)
        if then is None:
            what = "it is new"
        elif set(then.depends_on) != set(phase.depends_on):
            what = "its dependencies changed"
        else:
            same_python = (done.python if done is not None else then_python) == python
            what = change(then.fingerprint, phase.fingerprint, same_python=same_python)
        if what:
            yield phase.name, what


def _dependents(phases: Sequence[DeclaredPhase], changed: Iterable[str]) -> dict[str, str]:
    """Everything that depends on what changed, each with the changed phase that it was reached from."""
    dependents: dict[str, list[str]] = {}
    for phase in phases:
        for dependency in phase.depends_on:
            dependents.setdefault(dependency, []).append(phase.name)
    roots = {name: name for name in changed}
    queue = list(roots)
    for name in queue:  # grows while it is walked
        for dependent in dependents.get(name, ()):
            if dependent not in roots:
                roots[dependent] = roots[name]
                queue.append(dependent)
    return roots


def _unfinished(recorded: Replay, name: str) -> str:
    if name in recorded.outdated:
        return "something it depends on had run again"
    try:
        status = recorded.state.phase(name).status
    except KeyError:
        return "it is new"
    return _WHY.get(status, f"it was {status}")


def _is_kept(completion: Completion) -> bool:
    kept = completion.kept
    return kept is None or kept.data is not None or kept.digest is not None


def _not_kept(completion: Completion, why: str) -> str:
    why = why or (completion.kept.reason if completion.kept is not None else "")
    return f"its result is not kept: {why}" if why else "its result is not kept"


def _kept(recorded: Replay, name: str) -> str:
    return "it was skipped" if recorded.completions[name].kept is None else "it is done"
