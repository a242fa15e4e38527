"""The generated saga: one scheduler that decides what starts, and lanes in which parallel phases run."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

from milo.action import Action
from milo.pipeline import actions as types
from milo.pipeline.attempt import Attempt
from milo.pipeline.graph import Graph
from milo.pipeline.phase import Phase
from milo.pipeline.schedule import Schedule
from milo.saga.channel import Channel
from milo.saga.effects import Call, Cancel, Delay, Fork, Put, Saga, SagaCancelled, Take
from milo.text import safe_text

__all__ = ["Resumption", "Run", "Times", "drive"]


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


def drive(run: Run) -> Saga:
    """The scheduler: starts what may start, waits for news, and says how it ended."""
    schedule = run.schedule
    start = {"at": run.now(), "time": run.time(), "run_id": run.run_id}
    if run.resumption is not None:
        start |= {"resumed": True, "again": list(run.resumption.again)}
    yield Put(Action(types.PIPELINE_START, start))
    try:
        while True:
            if run.stopped:
                yield from _wind_down(run)
            if run.delayed:
                # Before an exclusive phase: its time counts towards their delays.
                yield from _fork_waits(run)
                continue
            number = schedule.take_exclusive()
            if number is not None:
                yield from _exclusive(run, number)
                continue
            numbers = schedule.take_parallel()
            if numbers:
                yield from _fork(run, numbers)
                continue
            if not schedule.running and not run.waiting:
                break
            yield Take(run.changed)
    except SagaCancelled:
        # Attached sagas were told before this one; what they run may take its time to end.
        while schedule.running:
            yield Take(run.changed)
        yield from _end_retries(run, types.PHASE_CANCELLED)
        yield Put(Action(types.PIPELINE_CANCELLED, {"at": run.now()}))
        raise
    if run.interrupted:
        yield Put(Action(types.PIPELINE_CANCELLED, {"at": run.now()}))
    elif not run.failed:
        yield Put(Action(types.PIPELINE_COMPLETE, {"at": run.now()}))


def _fork_waits(run: Run) -> Saga:
    """Start a waiting saga for each retry."""
    delayed, run.delayed = run.delayed, []
    for number, delay_s in delayed:
        run.waiting[number] = None
        task = yield Fork(partial(_wait_for_retry, run, number, delay_s), attached=True)
        if number in run.waiting:
            run.waiting[number] = task


def _fork(run: Run, numbers: list[int]) -> Saga:
    """Start a lane for each phase that was taken."""
    for place, number in enumerate(numbers):
        if run.stopped:
            run.schedule.put_back(numbers[place:])
            return
        key = object()
        run.lanes[key] = None
        task = yield Fork(partial(_lane, run, number, key), attached=True)
        if key in run.lanes:
            run.lanes[key] = task
        if not run.limit_is_known and task is not None:
            run.limit_is_known = True
            run.schedule.limit = limit = getattr(task, "workers", run.schedule.limit)
            if place + 1 >= limit and place + 1 < len(numbers):
                run.schedule.put_back(numbers[place + 1 :])
                return


def _wind_down(run: Run) -> Saga:
    """End what waits for a retry, and what runs if it shall not go on."""
    run.delayed = []
    tasks = list(run.waiting.values())
    if run.fail_fast or run.interrupted:
        tasks += run.lanes.values()
    for task in tasks:
        if task is not None:
            yield Cancel(task)
    yield from _end_retries(run, types.PHASE_CANCELLED if run.interrupted else types.PHASE_FAILED)


def _end_retries(run: Run, type: str) -> Saga:
    """Say of every phase that will not get its retry how it ended."""
    while run.retrying:
        number = next(iter(run.retrying))
        error = run.retrying.pop(number)
        fields = {"error": error} if type == types.PHASE_FAILED else {}
        yield run.put(type, run.phases[number].name, **fields)


def _exclusive(run: Run, number: int) -> Saga:
    """Run a phase alone, through all its retries."""
    try:
        while True:
            outcome = yield from _attempt(run, number)
            if outcome is None:
                return
            delay_s, _ = outcome
            try:
                yield Delay(delay_s)
            except SagaCancelled:
                yield run.put(types.PHASE_CANCELLED, run.phases[number].name)
                raise
    finally:
        run.schedule.leave()


def _lane(run: Run, number: int, key: object) -> Saga:
    """Run a parallel phase and then the next that is ready, until none is."""
    schedule = run.schedule
    try:
        while True:
            try:
                outcome = yield from _attempt(run, number)
            finally:
                schedule.leave()
            if outcome is not None:
                delay_s, error = outcome
                run.delayed.append((number, delay_s))
                run.retrying[number] = error
                run.changed.put()
            following = schedule.next_parallel()
            if following is None:
                return
            number = following
            if schedule.has_room():
                run.changed.put()
    finally:
        run.lanes.pop(key, None)
        if not schedule.running:
            run.changed.put()


def _wait_for_retry(run: Run, number: int, delay_s: float) -> Saga:
    """Let the time before a retry pass without holding a lane."""
    try:
        yield Delay(delay_s)
        run.schedule.push(number)
    finally:
        run.waiting.pop(number, None)
        run.changed.put()


def _attempt(run: Run, number: int) -> Saga:
    """Try a phase once: the only place that does. Answers None, or (seconds until the retry, the error)."""
    phase = run.phases[number]
    name = phase.name
    attempt = run.attempts.get(number, 1)
    if attempt > 1:
        run.retrying.pop(number, None)
    args, kwargs = phase.binding.arguments(phase.depends_on, run.results)
    work = Attempt(name, attempt, phase.handler, args, kwargs, run.capture, run.run_id)
    yield Put(Action(types.PHASE_START, {"name": name, "attempt": attempt, "at": run.now()}))
    try:
        result = yield Call(work, (), None, phase.timeout, run.grace)
    except SagaCancelled:
        yield run.put(types.PHASE_CANCELLED, name)
        raise
    except GeneratorExit:  # a saga that was stepped by hand is dropped
        raise
    except KeyboardInterrupt:
        yield run.put(types.PHASE_CANCELLED, name)
        run.interrupted = True
        run.stop()
        return None
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything, and its policy decides
        return (yield from _failed(run, number, attempt, error))
    run.results[name] = result
    yield Put(Action(types.PHASE_COMPLETE, {"name": name, "result": result, "at": run.now()}))
    run.schedule.release(number)
    return None


def _failed(run: Run, number: int, attempt: int, error: BaseException) -> Saga:
    """Do what the policy says about a failed attempt. Answers like `_attempt`."""
    phase = run.phases[number]
    policy = phase.policy
    text = describe(error)
    if run.traces:
        yield from _trace(run, phase.name, error)
    # SystemExit and the like are no failure that another attempt could mend, nor one to pass over.
    if isinstance(error, Exception):
        skip = policy.on_fail == "skip"
        if policy.on_fail == "retry" and isinstance(error, policy.retry_on):
            if attempt > policy.max_retries:
                skip = policy.then == "skip"
            elif not run.stopped:
                return (yield from _retry_later(run, number, attempt, text))
        if skip:
            yield run.put(types.PHASE_SKIPPED, phase.name, error=text)
            run.schedule.release(number)
            return None
    yield run.put(types.PHASE_FAILED, phase.name, error=text)
    run.failed = True
    if not run.keep_going:
        run.stop()
    return None


def _trace(run: Run, name: str, error: BaseException) -> Saga:
    """Say in the log of a phase where its error came from."""
    # Imported here: no program that runs pipelines waits for it.
    from milo.pipeline.traces import trace_lines

    for line in trace_lines(error):
        fields = {"name": name, "line": line, "stream": "stderr", "timestamp": run.now()}
        yield Put(Action(types.PHASE_LOG, fields))


def _retry_later(run: Run, number: int, attempt: int, error: str) -> Saga:
    """Say that another attempt follows, and when. Answers like `_attempt`."""
    phase = run.phases[number]
    # Chance that depends on the run alone: whoever runs it again sees the same, and no import is paid for it.
    chance = crc32(f"{run.run_id}:{phase.name}:{attempt}".encode("utf-8", "replace")) / 0xFFFFFFFF
    delay_s = phase.policy.delay_s(attempt, chance)
    run.attempts[number] = attempt + 1
    fields = {"attempt": attempt, "error": error, "max_retries": phase.policy.max_retries, "delay": delay_s}
    yield run.put(types.PHASE_RETRY, phase.name, **fields)
    return delay_s, error


def describe(error: BaseException) -> str:
    """An error as text for people: its message, or its type where the message says nothing by itself."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide that the phase failed
        message = ""
    if not message:
        return type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        # Imported here: only few errors are groups.
        from milo.pipeline.grouped import grouped_text

        message = f"{message}: {grouped_text(error)}"
    return safe_text(
        f"{type(error).__name__}: {message}" if isinstance(error, KeyError | SystemExit) else message
    )
