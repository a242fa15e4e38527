"""run: a whole pipeline in virtual time, with handlers replaced, for the tests of those who write pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from milo.action import Action
from milo.errors import StateError
from milo.pipeline import PHASE_START, Phase, Pipeline, PipelineState
from milo.pipeline.attempt import Attempt
from milo.session import Session
from milo.testing.clock import FakeClock
from milo.testing.executor import VirtualExecutor

__all__ = ["TestRun", "run"]


@dataclass(frozen=True, slots=True)
class TestRun:
    """What came of a run in virtual time.

    Attributes:
        state: The final state; its times are virtual seconds.
        results: What the phases that completed returned, by name.
        actions: Every action, in order.
    """

    __test__ = False  # for pytest, which takes classes of this name for tests

    state: PipelineState
    results: dict[str, Any]
    actions: list[Action] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the pipeline completed."""
        return self.state.status == "completed"

    @property
    def started(self) -> list[str]:
        """The names of the phases in the order in which they were started, retries included."""
        return [action.payload["name"] for action in self.actions if action.type == PHASE_START]


def run(
    pipeline: Pipeline,
    *,
    fakes: Mapping[str, Any] | None = None,
    durations: Mapping[str, float] | None = None,
    max_workers: int | None = None,
    keep_going: bool = False,
    only: Iterable[str] = (),
) -> TestRun:
    """Run `pipeline` on this thread in virtual time: delays cost nothing, and the order is always the same.

    Args:
        pipeline: What to run.
        fakes: What to put in place of handlers, by phase: a callable (with the same parameter rules), an exception
            to raise, or any other value to return.
        durations: How many virtual seconds phases take, by name; 0 otherwise.
        max_workers: How many phases run at once; 2 by default.
        keep_going: As for `milo.run`.
        only: As for `milo.run`.

    Raises:
        PipelineError: `fakes` or `durations` names a phase that does not exist.
    """
    for name in {**(fakes or {}), **(durations or {})}:
        pipeline.phase(name)
    seconds = durations or {}
    clock = FakeClock()

    def duration_s(fn: Callable[..., Any]) -> float:
        return seconds.get(fn.name, 0.0) if isinstance(fn, Attempt) else 0.0

    recorder = _Recorder()
    session = Session(
        _with_fakes(pipeline, fakes or {}),
        keep_going=keep_going,
        only=only,
        clock=clock,
        executor=VirtualExecutor(clock, duration_s, max_workers or 2),
        middleware=(recorder.middleware,),
    )
    task = session.start()
    while not task.done():
        if not clock.advance_to_next():
            raise StateError(f"The run of {pipeline.name!r} waits for something that never comes.")
    result = session.finish(task)
    return TestRun(result.state, result.results, recorder.actions)


def _with_fakes(pipeline: Pipeline, fakes: Mapping[str, Any]) -> Pipeline:
    phases: Sequence[Phase] = [
        _replaced(phase, fakes[phase.name]) if phase.name in fakes else phase for phase in pipeline.phases
    ]
    return Pipeline(
        pipeline.name, *phases, capture_output=pipeline.capture_output, fail_fast=pipeline.fail_fast
    )


def _replaced(phase: Phase, fake: Any) -> Phase:
    values = {each.name: getattr(phase, each.name) for each in fields(Phase) if each.init}
    return Phase(**{**values, "handler": _handler(fake)})


def _handler(fake: Any) -> Callable[..., Any]:
    if isinstance(fake, BaseException):

        def fail() -> None:
            raise fake

        return fail
    if callable(fake):
        return fake  # type: ignore[no-any-return]
    return lambda: fake


class _Recorder:
    def __init__(self) -> None:
        self.actions: list[Action] = []

    def middleware(self, next_dispatch: Callable[[Action], Any], get_state: Callable[[], Any]) -> Any:
        def dispatch(action: Action) -> Any:
            if not action.type.startswith("@@INIT"):
                self.actions.append(action)
            return next_dispatch(action)

        return dispatch
