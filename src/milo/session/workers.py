"""Workers: what a run's handlers run on, made before it is recorded: a run that cannot be leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from milo.execution import Coroutines, CoroutineThread, ThreadWorkers, default_workers
from milo.pipeline import Pipeline
from milo.saga.ports import Executor
from milo.session.arguments import check_executor

__all__ = ["released_on_error", "workers_for"]


def workers_for(
    executor: object,
    pipeline: Pipeline,
    *,
    max_workers: int | None = None,
    coroutines: Coroutines | None = None,
) -> Executor:
    """Make the workers of one run of `pipeline`; whoever asks for them closes them.

    Args:
        executor: As for `run`, or workers that are ready, which are given back.
        pipeline: All that is to run.
        max_workers: How many phases run at once; what is usual for the executor by default.
        coroutines: Where async handlers run that stay in this process; a loop of the run's own by default.

    Raises:
        StateError: There is no such executor, or it cannot be had.
        PipelineError: A handler cannot be sent to where it shall run.
    """
    if hasattr(executor, "wake"):
        return cast(Executor, executor)
    check_executor(executor)
    coroutines = coroutines if coroutines is not None else CoroutineThread()
    if executor in (None, "threads") and not any(phase.runs_on for phase in pipeline.phases):
        return ThreadWorkers(max_workers or default_workers(), coroutines=coroutines)
    # Imported here: most runs need nothing but threads.
    from milo.execution.choosing import placed_workers

    return placed_workers(executor, pipeline.phases, max_workers=max_workers, coroutines=coroutines)


@contextmanager
def released_on_error(workers: Executor) -> Iterator[Executor]:
    """Close the workers if the run that they were made for is not even begun."""
    try:
        yield workers
    except BaseException:
        workers.close()
        raise
