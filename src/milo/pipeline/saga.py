"""The generated saga: one scheduler that decides what starts, and lanes in which parallel phases run."""

from __future__ import annotations

from functools import partial

from milo.action import Action
from milo.pipeline import actions as types
from milo.pipeline.attempting import attempt_phase
from milo.pipeline.run import Run
from milo.saga.effects import Cancel, Delay, Fork, Put, Saga, SagaCancelled, Take

__all__ = ["drive"]


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
            outcome = yield from attempt_phase(run, number)
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
                outcome = yield from attempt_phase(run, number)
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
