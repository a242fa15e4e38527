"""Random pipelines in virtual time: what must hold of every run, and the same run by a reference scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import milo
import milo.testing
from milo import Action, Phase, PhasePolicy, Pipeline, PipelineState, Store
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
)

from .reference import Case, Reference, Task

ENDS = {PHASE_COMPLETE, PHASE_FAILED, PHASE_SKIPPED, PHASE_CANCELLED, PHASE_RETRY}


def policies() -> st.SearchStrategy[PhasePolicy]:
    delays = st.sampled_from([0.0, 0.5, 3.0])
    backoffs = st.sampled_from(["fixed", "exponential"])
    retry = st.builds(PhasePolicy, st.just("retry"), st.integers(1, 3), delays, backoffs)
    return st.one_of(st.just(PhasePolicy()), st.just(PhasePolicy("skip")), retry)


@st.composite
def cases(draw: st.DrawFn, *, ties: bool = True) -> Case:
    size = draw(st.integers(1, 9))
    tasks: list[Task] = []
    for number in range(size):
        seconds = float(draw(st.integers(0, 4)))
        if not ties:
            seconds += 1 + 2.0 ** -(number + 3)
        tasks.append(
            Task(
                name=f"{draw(st.sampled_from('zyxab'))}{number}",
                depends_on=tuple(task.name for task in tasks if draw(st.integers(0, 3 if ties else 2)) == 0),
                parallel=draw(st.integers(0, 3)) > 0,
                weight=draw(st.integers(0, 3)),
                policy=draw(policies()),
                duration_s=seconds,
                failures=draw(st.sampled_from([0, 0, 0, 1, 2, 9])),
            )
        )
    return Case(tuple(tasks), draw(st.integers(1, 4)), draw(st.booleans()), draw(st.booleans()))


def run(case: Case) -> milo.testing.TestRun:
    return milo.testing.run(
        case.pipeline(),
        durations=case.durations(),
        max_workers=case.workers,
        keep_going=case.keep_going,
    )


@settings(max_examples=250)
@given(cases(ties=False))
def test_the_reference_scheduler_starts_the_same_phases_at_the_same_times_in_the_same_order(
    case: Case,
) -> None:
    reference = Reference(case)
    status = reference.run()
    assume(not reference.tie)
    result = run(case)
    starts = [
        (action.payload["at"], action.payload["name"], action.payload["attempt"])
        for action in result.actions
        if action.type == PHASE_START
    ]
    assert starts == reference.starts
    assert {phase.name: phase.status for phase in result.state.phases} == reference.status
    assert result.state.status == status
    assert result.state.elapsed == reference.now


class Watch:
    """What holds while actions go by."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tasks = {task.name: task for task in case.tasks}
        self.status = {task.name: "pending" for task in case.tasks}
        self.due: dict[str, float] = {}
        self.stopped = False

    def running(self) -> list[str]:
        return [name for name, status in self.status.items() if status == "running"]

    def is_ready(self, name: str, now: float) -> bool:
        if self.status[name] == "retrying":
            return self.due[name] <= now
        before = [self.status[each] for each in self.tasks[name].depends_on]
        return self.status[name] == "pending" and all(each in ("completed", "skipped") for each in before)

    def see(self, action: Action) -> None:
        if action.type == PHASE_START:
            name = action.payload["name"]
            assert not self.stopped, f"{name} started after a failure"
            assert self.is_ready(name, action.payload["at"]), f"{name} started too early"
            self.status[name] = "running"
            running = self.running()
            assert len(running) <= self.case.workers
            alone = [each for each in running if not self.tasks[each].parallel]
            assert not alone or len(running) == 1, f"{alone} beside {running}"
        elif action.type in ENDS:
            name = action.payload["name"]
            self.status[name] = action.type.removeprefix("@@PHASE_").lower()
            if action.type == PHASE_RETRY:
                self.status[name] = "retrying"
                self.due[name] = action.payload["at"] + action.payload["delay"]
            if action.type == PHASE_COMPLETE:
                self.status[name] = "completed"
            if action.type == PHASE_FAILED and not self.case.keep_going:
                self.stopped = True

    def nothing_idles(self, now: float) -> None:
        in_progress = [name for name, status in self.status.items() if status in ("running", "retrying")]
        if self.stopped or len(self.running()) >= self.case.workers:
            return
        if any(not self.tasks[name].parallel for name in in_progress):
            return
        idle = [name for name in self.tasks if self.tasks[name].parallel and self.is_ready(name, now)]
        assert not idle, f"{idle} could run at {now} beside {self.running()}"


@settings(max_examples=400)
@given(cases())
def test_every_run_keeps_the_rules(case: Case) -> None:
    """Dependencies first, exclusive phases alone, at most max_workers, nobody idle, failures not hidden."""
    result = run(case)
    watch = Watch(case)
    moments = groupby(result.actions, key=lambda action: action.payload["at"])
    for now, actions in moments:
        for action in actions:
            watch.see(action)
        watch.nothing_idles(now)
    statuses = {phase.name: phase.status for phase in result.state.phases}
    assert statuses == watch.status
    assert "running" not in statuses.values()
    assert "retrying" not in statuses.values()
    failed = "failed" in statuses.values()
    assert result.state.status == ("failed" if failed else "completed")
    if not failed:
        assert set(statuses.values()) <= {"completed", "skipped"}
    if case.keep_going:
        unreached = [name for name in statuses if watch.is_ready(name, float("inf"))]
        assert unreached == []


@settings(max_examples=150)
@given(cases())
def test_progress_never_falls_and_replaying_the_actions_gives_the_equal_state(case: Case) -> None:
    pipeline = case.pipeline()
    result = milo.testing.run(
        pipeline, durations=case.durations(), max_workers=case.workers, keep_going=case.keep_going
    )
    reducer = pipeline.build_reducer()
    state = reducer(None, Action("@@INIT"))
    states: list[PipelineState] = [state]
    for action in result.actions:
        state = reducer(state, action)
        states.append(state)
    assert state == result.state
    progress = [each.progress for each in states]
    assert progress == sorted(progress)
    assert all(each < 1.0 for each in progress[:-1]) or not result.ok
    assert (progress[-1] == 1.0) == result.ok
    assert all(each.elapsed >= 0.0 for each in states)
    assert all(phase.elapsed >= 0.0 for each in states for phase in each.phases)


@settings(max_examples=100)
@given(cases())
def test_the_same_durations_give_the_same_actions_again(case: Case) -> None:
    def told(result: milo.testing.TestRun) -> list[tuple[str, Any]]:
        return [
            (each.type, {key: value for key, value in each.payload.items() if key != "run_id"})
            for each in result.actions
        ]

    assert told(run(case)) == told(run(case))


SCRIPT = """
import random
import milo.testing
from milo import Phase, Pipeline

chance = random.Random(7)
phases, seconds = [], {}
for number in range(120):
    name = chance.choice("pqrs") + str(number)
    names = [phase.name for phase in phases[-15:]]
    before = tuple(chance.sample(names, min(len(names), chance.randrange(4))))
    parallel = chance.random() < 0.8
    phases.append(Phase(name, lambda: None, depends_on=before, parallel=parallel, weight=chance.randrange(3)))
    seconds[name] = chance.randrange(3)
pipeline = Pipeline("p", *phases)
print(milo.testing.run(pipeline, durations=seconds, max_workers=3).started)
print(pipeline.execution_order(), pipeline.subset([phases[-1].name]).execution_order())
"""


def test_the_order_of_starts_does_not_depend_on_the_hash_seed() -> None:
    source = str(Path(milo.__file__).parents[1])
    orders = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(orders) == 1
    assert orders.pop().count("'") > 200


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_on_threads_nothing_runs_beside_an_exclusive_phase_nor_before_its_dependencies(workers: int) -> None:
    lock = threading.Lock()
    running: set[str] = set()
    done: set[str] = set()
    wrong: list[str] = []

    def make(name: str, before: tuple[str, ...], parallel: bool) -> Phase:
        def work() -> None:
            with lock:
                running.add(name)
                if len(running) > (workers if parallel else 1) or not done.issuperset(before):
                    wrong.append(f"{name}: {running}")
            for _ in range(200):
                pass
            with lock:
                running.discard(name)
                done.add(name)

        return Phase(name, work, depends_on=before, parallel=parallel)

    phases: list[Phase] = []
    for number in range(400):
        before = tuple(phases[number - back].name for back in (3, 7, 20) if back <= number and number % 4)
        phases.append(make(f"n{number}", before, parallel=number % 11 != 0))
    result = milo.run(Pipeline("p", *phases), max_workers=workers)
    assert result.ok
    assert (wrong, len(done)) == ([], 400)


@settings(max_examples=150)
@given(cases(), st.integers(0, 60))
def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing_running(case: Case, moments: int) -> None:
    clock = milo.testing.FakeClock()
    seconds = case.durations()
    executor = milo.testing.VirtualExecutor(clock, lambda fn: seconds[getattr(fn, "name", "")], case.workers)
    pipeline = case.pipeline()
    with Store(pipeline.build_reducer(), clock=clock, executor=executor) as store:
        task = store.run_saga(pipeline.build_saga(clock=clock, max_workers=case.workers)())
        for _ in range(moments):
            clock.advance_to_next()
        was_done = task.done()
        task.cancel()
        state: PipelineState = store.get_state()
    assert task.done()
    assert {"running", "retrying"}.isdisjoint(phase.status for phase in state.phases)
    if not was_done:
        assert state.status == "cancelled"
        assert task.cancelled()
