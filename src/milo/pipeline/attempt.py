"""Attempt: the inert record of one try of a phase, which a Call carries to wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import CoroutineType
from typing import Any

from milo.action import Action
from milo.errors import StateError
from milo.execution import Capture, LineSink, current_capture, current_sink
from milo.pipeline.actions import PHASE_LOG
from milo.saga.effects import SagaCancelled
from milo.saga.ports import Job, current_job
from milo.text import safe_line
from milo.value import Value, setters

__all__ = ["Attempt"]


class Attempt(Value):
    """One try of a phase; calling it runs the handler.

    Called by a runner it captures the handler's output as ``@@PHASE_LOG`` actions if the pipeline says so; called by
    hand the output passes through. The Job of the call is its cancel token.

    Args:
        name: The phase.
        number: Which try it is, from 1.
        handler: The phase's function.
        args: What it gets by position.
        kwargs: What it gets by name.
        capture: Whether its output becomes log lines.
        run_id: The run's name.
    """

    __slots__ = ("args", "capture", "handler", "kwargs", "name", "number", "run_id")
    __match_args__ = ("name", "number", "handler", "args", "kwargs", "capture", "run_id")
    name: str
    number: int
    handler: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    capture: bool
    run_id: str

    def __init__(
        self,
        name: str,
        number: int,
        handler: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        capture: bool = False,
        run_id: str = "",
    ) -> None:
        _args(self, args)
        _capture(self, capture)
        _handler(self, handler)
        _kwargs(self, kwargs if kwargs is not None else {})
        _name(self, name)
        _number(self, number)
        _run_id(self, run_id)

    def __hash__(self) -> int:
        return hash((self.name, self.number, self.handler))

    def __call__(self) -> Any:
        try:
            if self.capture:
                job = current_job.get()
                if job is not None:
                    return self._captured(job)
            return self.handler(*self.args, **self.kwargs)
        except (GeneratorExit, SagaCancelled) as error:
            # In a saga they would mean that the saga itself is dropped or cancelled.
            raise RuntimeError(
                f"The handler of phase {self.name!r} raised {type(error).__name__}."
            ) from error

    def _captured(self, job: Job) -> Any:
        """Run the handler with its output going to log lines; what it left unfinished is given out at the end."""
        sink = LineSink(partial(self.emit, job))
        # A store that was given the saga without a run has no capture: then this call has one of its own.
        capture = current_capture.get() or Capture(over=True)
        capture.begin(sink)
        # Not reset afterwards: the call has a context of its own, and threads that the handler
        # leaves behind go on writing lines of this phase.
        current_sink.set(sink)
        goes_on = False
        try:
            result = self.handler(*self.args, **self.kwargs)
            if result.__class__ is CoroutineType:
                goes_on = True
                return _finish(result, sink, capture)
            return result
        finally:
            if not goes_on:
                _end(sink, capture)

    def emit(self, job: Job, stream: str, line: str) -> None:
        """Dispatch a line of output as an action, as long as the attempt is somebody's."""
        if job.dropped:
            return
        host = job.host
        payload = {
            "name": self.name,
            "line": safe_line(line),
            "stream": stream,
            "timestamp": host.clock.now(),
        }
        try:
            host.post(Action(PHASE_LOG, payload))
        except StateError:
            # The run has ended: a thread that it left behind has nobody any more who would read it.
            return


async def _finish(coroutine: Coroutine[Any, Any, Any], sink: LineSink, capture: Capture) -> Any:
    try:
        return await coroutine
    finally:
        _end(sink, capture)


def _end(sink: LineSink, capture: Capture) -> None:
    try:
        sink.flush()
    finally:
        capture.end(sink)


_name, _number, _handler, _args, _kwargs, _capture, _run_id = setters(Attempt)
