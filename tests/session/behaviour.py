"""Phases that keep a diary in a file, wherever they run, and what must hold of every diary."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from milo import Phase, PhasePolicy, Pipeline, RunResult, current_phase
from tests.pipeline.reference import BoomError, Case, Reference, Task

_MOMENT_S = 0.001


@dataclass(frozen=True)
class Behaviour:
    """A handler that can be sent anywhere: it notes when it begins and ends, and fails as often as it is told."""

    task: Task
    diary: Path

    def __call__(self, context: Mapping[str, int]) -> int:
        attempt = current_phase().attempt
        self._note("begins", attempt)
        time.sleep(self.task.duration_s * _MOMENT_S)  # stands for work, so that phases overlap if they can
        self._note("ends", attempt)
        if attempt <= self.task.failures:
            raise BoomError(f"try {attempt}")
        return 1 + sum(each for each in context.values() if each is not None)

    def _note(self, what: str, attempt: int) -> None:
        # Short writes to the end of a file are in one order for all processes. It is there already: an attempt
        # that a pool goes on with when nobody waits for it any more shall not make it anew.
        file = os.open(self.diary, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, f"{what} {self.task.name} {attempt}\n".encode())
        finally:
            os.close(file)


@dataclass(frozen=True)
class Step:
    """A handler that can be sent anywhere: it notes that it ran, and fails as long as what it needs is not there."""

    name: str
    diary: Path
    needed: Path

    def __call__(self) -> str:
        with open(self.diary, "a") as diary:
            diary.write(f"{self.name}\n")
        if self.name == "b" and not self.needed.exists():
            raise BoomError("not yet")
        return self.name


def pipeline_of(case: Case, diary: Path) -> Pipeline:
    phases = [
        Phase(
            task.name,
            Behaviour(task, diary),
            depends_on=task.depends_on,
            parallel=task.parallel,
            weight=task.weight,
            policy=task.policy,
        )
        for task in case.tasks
    ]
    return Pipeline("p", *phases, fail_fast=case.fail_fast)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    tasks: list[Task] = []
    retry = st.builds(PhasePolicy, st.just("retry"), st.integers(1, 2), st.sampled_from([0.0, 0.002]))
    for number in range(draw(st.integers(3, 10))):
        failures = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
        tasks.append(
            Task(
                name=f"{draw(st.sampled_from('zyxab'))}{number}",
                depends_on=tuple(task.name for task in tasks if draw(st.integers(0, 3)) == 0),
                parallel=draw(st.integers(0, 3)) > 0,
                weight=draw(st.integers(0, 3)),
                policy=draw(st.one_of(st.just(PhasePolicy()), st.just(PhasePolicy("skip")), retry)),
                duration_s=float(draw(st.integers(0, 3))),
                failures=failures,
            )
        )
    return Case(tuple(tasks), draw(st.integers(1, 3)), draw(st.booleans()), draw(st.booleans()))


def check(case: Case, result: RunResult, diary: Path) -> None:
    """Assert that the diary of a run shows order, exclusivity, limits, attempts and failures as they must be."""
    lines = diary.read_text().splitlines()
    begun = _read(case, [line.split() for line in lines])
    statuses = {phase.name: phase.status for phase in result.state.phases}
    assert {"running", "retrying"}.isdisjoint(statuses.values())
    assert result.state.status == ("failed" if "failed" in statuses.values() else "completed")
    for task in case.tasks:
        _check_phase(task, statuses[task.name], begun[task.name], result)
    # Where it does not depend on who is faster, the outcome is that of the simplest scheduler.
    retries = any(task.policy.on_fail == "retry" for task in case.tasks)
    alone = case.workers == 1 and not retries
    if alone or case.keep_going:
        reference = Reference(case)
        assert reference.run() == result.state.status
        assert reference.status == statuses
        if alone:
            assert [line.split()[1] for line in lines[::2]] == [name for _, name, _ in reference.starts]


def _read(case: Case, diary: list[list[str]]) -> dict[str, int]:
    """Follow a diary line by line; returns how often each phase was attempted."""
    tasks = {task.name: task for task in case.tasks}
    begun = dict.fromkeys(tasks, 0)
    ended = dict.fromkeys(tasks, 0)
    for what, name, attempt in diary:
        task = tasks[name]
        if what == "ends":
            ended[name] += 1
            assert ended[name] == begun[name] == int(attempt)
            continue
        begun[name] += 1
        assert begun[name] == int(attempt), f"attempt {attempt} of {name} came twice, or out of order"
        for other in task.depends_on:
            assert _is_over(tasks[other], begun[other], ended[other]), f"{name} began before {other} was done"
        running = [each for each in tasks if begun[each] > ended[each]]
        assert len(running) <= case.workers, f"{running} at once"
        assert len(running) == 1 or all(tasks[each].parallel for each in running), (
            f"{running} beside each other"
        )
    return begun


def _is_over(task: Task, begun: int, ended: int) -> bool:
    return ended == begun > (0 if task.policy.on_fail == "skip" else task.failures)


def _check_phase(task: Task, status: str, begun: int, result: RunResult) -> None:
    if status == "pending":
        assert begun == 0
    elif status == "completed":
        assert begun == task.failures + 1
        before = (result.results.get(name) for name in task.depends_on)
        assert result.results[task.name] == 1 + sum(each for each in before if each is not None)
    elif status == "skipped":
        assert (begun, task.policy.on_fail) == (1, "skip"), result.state.phase(task.name).error
        assert task.failures > 0
    elif status == "failed":
        assert 0 < begun <= task.failures, result.state.phase(task.name).error
        assert result.state.phase(task.name).error.endswith(f"try {begun}")
    else:
        assert status == "cancelled"
