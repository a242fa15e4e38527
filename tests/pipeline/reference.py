"""A scheduler in virtual time as simple as can be, to hold milo's against: one loop over plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from milo import Phase, PhasePolicy, Pipeline


class BoomError(Exception):
    """What phases fail with here."""


@dataclass(frozen=True)
class Task:
    """A phase and how it behaves: seconds an attempt takes, and how many attempts fail before one succeeds."""

    name: str
    depends_on: tuple[str, ...]
    parallel: bool
    weight: int
    policy: PhasePolicy
    duration_s: float
    failures: int


@dataclass(frozen=True)
class Case:
    tasks: tuple[Task, ...]
    workers: int
    keep_going: bool
    fail_fast: bool

    def pipeline(self) -> Pipeline:
        phases = [
            Phase(
                task.name,
                _failing(task.failures),
                depends_on=task.depends_on,
                parallel=task.parallel,
                weight=task.weight,
                policy=task.policy,
            )
            for task in self.tasks
        ]
        return Pipeline("p", *phases, fail_fast=self.fail_fast)

    def durations(self) -> dict[str, float]:
        return {task.name: task.duration_s for task in self.tasks}


def _failing(failures: int) -> Callable[[], None]:
    tries = [0]

    def handler() -> None:
        tries[0] += 1
        if tries[0] <= failures:
            raise BoomError(f"try {tries[0]}")

    return handler


@dataclass
class Reference:
    """Runs a case; afterwards `starts` holds (seconds, name, attempt) in order, and `status` one for each phase."""

    case: Case
    now: float = 0.0
    tie: bool = False
    failed: bool = False
    stopped: bool = False
    starts: list[tuple[float, str, int]] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tasks = self.case.tasks
        self.tasks = {task.name: task for task in tasks}
        self.status = {task.name: "pending" for task in tasks}
        self.attempt = {task.name: 1 for task in tasks}
        self.rank = {
            name: place
            for place, name in enumerate(sorted(self.tasks, key=lambda name: -self.remaining(name)))
        }

    def remaining(self, name: str) -> float:
        after = [self.remaining(task.name) for task in self.case.tasks if name in task.depends_on]
        return self.tasks[name].weight + max(after, default=0)

    def run(self) -> str:
        while True:
            self.start_what_may()
            due = {**self.running, **self.waiting}
            if not due:
                return "failed" if self.failed else "completed"
            self.now = min(due.values())
            self.tie |= list(due.values()).count(self.now) > 1
            name = min(due, key=lambda each: due[each])
            if name in self.waiting:
                del self.waiting[name]
                self.status[name] = "retry is due"
                if not self.tasks[name].parallel:
                    self.start(name)
            else:
                del self.running[name]
                self.finish(self.tasks[name])

    def start_what_may(self) -> None:
        while not self.stopped and len(self.running) < self.case.workers and not self.exclusive_in_progress():
            ready = sorted(filter(self.is_ready, self.tasks), key=self.rank.__getitem__)
            if not self.running and ready and not self.tasks[ready[0]].parallel:
                self.start(ready[0])
                return
            parallel = [name for name in ready if self.tasks[name].parallel]
            if not parallel:
                return
            self.start(parallel[0])

    def exclusive_in_progress(self) -> bool:
        return any(not self.tasks[name].parallel for name in (*self.running, *self.waiting))

    def is_ready(self, name: str) -> bool:
        before = (self.status[each] for each in self.tasks[name].depends_on)
        return self.status[name] in ("pending", "retry is due") and all(
            each in ("completed", "skipped") for each in before
        )

    def start(self, name: str) -> None:
        self.starts.append((self.now, name, self.attempt[name]))
        self.status[name] = "running"
        self.running[name] = self.now + self.tasks[name].duration_s

    def finish(self, task: Task) -> None:
        attempt = self.attempt[task.name]
        if attempt > task.failures:
            self.status[task.name] = "completed"
        elif task.policy.on_fail == "skip":
            self.status[task.name] = "skipped"
        elif task.policy.on_fail == "retry" and attempt <= task.policy.max_retries and not self.stopped:
            self.status[task.name] = "retrying"
            self.attempt[task.name] += 1
            self.waiting[task.name] = self.now + task.policy.delay_s(attempt)
        else:
            self.fail(task.name)

    def fail(self, name: str) -> None:
        self.status[name] = "failed"
        self.failed = True
        if self.case.keep_going:
            return
        self.stopped = True
        for each, status in self.status.items():
            if status in ("retrying", "retry is due"):
                self.status[each] = "failed"
        self.waiting.clear()
        if self.case.fail_fast:
            for each in self.running:
                self.status[each] = "cancelled"
            self.running.clear()
