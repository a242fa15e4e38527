"""Attempting a phase: its handler called once, and what its policy says where that fails."""

from __future__ import annotations

from zlib import crc32

from milo.action import Action
from milo.pipeline import actions as types
from milo.pipeline.attempt import Attempt
from milo.pipeline.run import Run
from milo.saga.effects import Call, Put, Saga, SagaCancelled
from milo.text import safe_text

__all__ = ["attempt_phase", "describe"]


def attempt_phase(run: Run, number: int) -> Saga:
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
    """Do what the policy says about a failed attempt. Answers like `attempt_phase`."""
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
    """Say that another attempt follows, and when. Answers like `attempt_phase`."""
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
