"""run: a pipeline run from a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from milo.errors import MiloError, StateError
from milo.log import log
from milo.mask import mask_of
from milo.pipeline import Pipeline, PipelineState
from milo.session.arguments import check_arguments, check_declaration
from milo.session.session import RunResult, Session
from milo.session.workers import released_on_error, workers_for
from milo.signals import check_signals_here, stopping_on_signals

if TYPE_CHECKING:
    from milo.session.recording import Recording

__all__ = ["hints_for_programs", "part_of", "recorded", "run"]

Durability = Literal["process", "power"]

_ARGUMENTS = {"--journal PATH": "journal=PATH", "run with --no-journal": "run without a journal"}


def run(
    pipeline: Pipeline,
    *,
    max_workers: int | None = None,
    executor: object = None,
    keep_going: bool = False,
    only: Iterable[str] = (),
    on_state: Callable[[PipelineState], object] | None = None,
    journal: str | os.PathLike[str] | None = None,
    resume: str | bool | None = None,
    grace: float = 5.0,
    mask: Iterable[str] = (),
    handle_signals: bool = False,
    durability: Durability = "process",
    serializer: str = "",
) -> RunResult:
    """Run `pipeline` and wait for its end.

    A failing phase does not raise: look at ``result.ok`` and ``result.state``. May be called from any thread, and
    inside a handler, where it has workers of its own and is cancelled with the outer run.

    Args:
        pipeline: What to run.
        max_workers: How many phases run at once; ``max(2, usable processors)`` by default.
        executor: Where phases run: "threads" (the default), "processes", "dask" (a cluster of this machine's own),
            "dask:tcp://host:port" (an existing one), or a ``concurrent.futures.Executor``, which stays open.
        keep_going: Whether phases that do not depend on a failed one still run.
        only: Names of phases: these and what they need are run, as a pipeline of their own.
        on_state: Called with new states, from one thread at a time; it may miss some, never the last.
        journal: The file to record the run in, made if there is none; None records nothing.
        resume: True to go on with the newest unfinished run of the pipeline that `journal` holds, or the name of one.
        grace: Seconds that the end waits: for what was cancelled, and then for `on_state`.
        mask: Names of environment variables whose values are replaced in every line of output and error.
        handle_signals: Whether Ctrl-C, SIGTERM and SIGHUP cancel the run, which then returns with the state
            "cancelled"; a second Ctrl-C does not wait for `grace`. In the main thread only.
        durability: "process": what is recorded survives the death of any process; "power": also that of the machine.
        serializer: "pickle" to pickle results that the journal's codec does not know.

    Raises:
        JournalError: The run cannot be recorded or resumed.
        StateError: An argument is refused, the executor cannot be had, or an event loop runs in this thread.
        PipelineError: `only` names a phase that does not exist, or a handler cannot be sent to where it shall run.
        KeyboardInterrupt: After the run was cancelled by it.
    """
    if _loop_runs_here():
        raise StateError(
            "run() would block the event loop that runs in this thread.",
            hint="Use `await milo.arun(...)` instead.",
        )
    # Refused before anything is recorded.
    check_arguments(pipeline, max_workers, grace, on_state)
    if handle_signals:
        check_signals_here()
    hidden = mask_of(mask, os.environ)
    check_declaration(pipeline, hidden)
    pipeline, only = part_of(pipeline, only)
    with hints_for_programs():
        with released_on_error(workers_for(executor, pipeline, max_workers=max_workers)) as workers:
            session = Session(
                pipeline,
                executor=workers,
                keep_going=keep_going,
                on_state=on_state,
                grace=grace,
                mask=hidden,
                recording=recorded(pipeline, only, journal, resume, durability, serializer),
            )
        if not handle_signals:
            return session.run()
        with stopping_on_signals(session.cancel, session.hurry):
            return session.run()


@contextmanager
def hints_for_programs() -> Iterator[None]:
    """Let an error's hint name an argument of `run` where it names an option of the command line."""
    try:
        yield
    except MiloError as error:
        for option, argument in _ARGUMENTS.items():
            error.hint = error.hint.replace(option, argument)
        error.args = (error.message, error.hint)
        raise


def part_of(pipeline: Pipeline, only: Iterable[str]) -> tuple[Pipeline, tuple[str, ...]]:
    """The part of `pipeline` that is to run, and the names that were given for it."""
    only = tuple(only) if not isinstance(only, str) else (only,)
    return (pipeline.subset(only) if only else pipeline), only


def recorded(
    pipeline: Pipeline,
    only: tuple[str, ...],
    journal: str | os.PathLike[str] | None,
    resume: str | bool | None,
    durability: Durability,
    serializer: str,
) -> Recording | None:
    """The recording of a run if a journal is asked for; arguments as for `run`."""
    if journal is None:
        if resume:
            raise StateError(
                f"resume={resume!r} needs the journal that holds the run.", hint="Pass journal=PATH as well."
            )
        return None
    if not isinstance(journal, str | os.PathLike):
        raise StateError(f"journal must be the path of a file, got {journal!r}.")
    # Imported here: few programs record, and SQLite takes its time to load.
    from pathlib import Path

    from milo.session.recording import JournalOptions, begin
    from milo.session.recording import resume as take_over

    options = JournalOptions(
        Path(journal), durability=durability, serializer=serializer, only=only, on_message=log.warning
    )
    if not resume:
        return begin(pipeline, options)
    return take_over(pipeline, options, None if resume is True else resume)


def _loop_runs_here() -> bool:
    """Whether an event loop runs in this thread; whoever runs one has imported asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
