"""Remote: one attempt in a process that is not its run's: what the handler finds there, and its outcome as bytes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, NamedTuple, Protocol

from milo.execution.coroutines import CoroutineThread
from milo.execution.placement import Work, WorkerError
from milo.execution.streams import flush
from milo.execution.tracebacks import keep_traceback
from milo.saga.effects import Call, SagaCancelled
from milo.saga.ports import Job

__all__ = [
    "Errand",
    "RemoteHost",
    "RemoteJob",
    "Report",
    "errand_of",
    "in_words",
    "opened_outcome",
    "packed_errand",
    "packed_outcome",
]


class Errand(NamedTuple):
    """What is told of an attempt to whoever runs it: only what can be sent.

    Attributes:
        linger: Seconds that it has for its ending once it is cancelled.
    """

    name: str
    number: int
    run_id: str
    capture: bool
    linger: float
    handler: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def errand_of(work: Work, job: Job) -> Errand:
    """What has to be sent of an attempt."""
    kwargs = dict(work.kwargs)
    return Errand(
        work.name, work.number, work.run_id, work.capture, job.linger, work.handler, work.args, kwargs
    )


def packed_errand(work: Work, job: Job, dumps: Callable[[Any], bytes], whom: str) -> bytes:
    """An attempt as bytes.

    Args:
        dumps: Makes bytes of what is sent.
        whom: Who it is sent to, for messages.

    Raises:
        WorkerError: What it is given cannot be sent.
    """
    try:
        return dumps(tuple(errand_of(work, job)))
    except BaseException as reason:
        raise WorkerError(
            f"What phase {work.name!r} is given cannot be sent to {whom}: {in_words(reason)}.",
            hint='Let the phases it depends on return plain data, or give it runs_on="thread".',
        ) from reason


class Report(Protocol):
    """The way back to the run."""

    def line(self, stream: str, line: str) -> None:
        """Tell a log line."""

    def heeds(self) -> None:
        """Tell that the attempt ends by itself when it is cancelled."""

    def outcome(self, value: Any, error: BaseException | None) -> None:
        """Tell how it ended; called once."""


class _RemoteWork:
    """What `current_phase` sees of the attempt."""

    def __init__(self, errand: Errand, report: Report) -> None:
        self.name = errand.name
        self.number = errand.number
        self.run_id = errand.run_id
        self._errand = errand
        self._report = report

    def __call__(self) -> Any:
        return self._errand.handler(*self._errand.args, **self._errand.kwargs)

    def emit(self, job: Job, stream: str, line: str) -> None:
        if not job.dropped:
            self._report.line(stream, line)


class _NoTask:
    """In the place of the saga's task, which is in the run's process."""

    epoch = 0


class RemoteJob(Job):
    """The Job of an attempt, over there: the same cancel token, and the run is told when the attempt heeds it."""

    def __init__(self, host: RemoteHost, errand: Errand, report: Report) -> None:
        work = _RemoteWork(errand, report)
        super().__init__(host, _NoTask(), Call(work, (), None, None, errand.linger))  # type: ignore[arg-type]
        self._report = report
        self._heeds = False
        self._begun = False

    def run(self) -> None:
        super().run()
        if not self._begun:
            # Cancelled before: whoever waits for its outcome would wait for ever.
            error = WorkerError(f"Phase {self.call.fn.name!r} was cancelled before it had begun.")  # type: ignore[attr-defined]
            self.host.complete(self, None, error, carry=False)

    def _invoke(self) -> tuple[Any, BaseException | None]:
        self._begun = True
        return super()._invoke()

    @property
    def heeds(self) -> bool:
        """Whether it looks at `cancelled` by itself; setting it tells the run."""
        return self._heeds

    @heeds.setter
    def heeds(self, value: bool) -> None:
        if value and not self._heeds:
            self._heeds = True
            self._report.heeds()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.heeds = True
        return super().on_cancel(callback)


class RemoteHost:
    """Stands in for the runner: gives a job its context, awaits its coroutine, and reports its outcome."""

    clock: Any = None

    def __init__(self, coroutines: CoroutineThread | None = None) -> None:
        self.context: Context = copy_context()
        self.executor: Any = self
        self._coroutines = coroutines if coroutines is not None else CoroutineThread()

    def run(self, errand: Errand, report: Report) -> RemoteJob:
        """Make the job of an errand; ``job.run()`` runs it."""
        return RemoteJob(self, errand, report)

    def dispatch(self, action: object) -> object:
        """No store is here: nobody takes it."""

    post = dispatch

    def complete(self, job: Job, value: Any, error: BaseException | None, *, carry: bool) -> None:
        """The attempt has ended."""
        if isinstance(error, GeneratorExit | SagaCancelled):
            # In a saga they would mean that the saga itself is dropped or cancelled.
            name = type(error).__name__
            error = RuntimeError(f"The handler of phase {job.call.fn.name!r} raised {name}.")  # type: ignore[attr-defined]
        flush()
        assert isinstance(job, RemoteJob)
        job._report.outcome(value, error)

    def run_coroutine(self, job: Job, coroutine: Any) -> None:
        """Await a coroutine on a loop of this process."""
        self._coroutines.run(job, coroutine)

    def abandon(self, job: Job) -> None:
        """Whoever gives up an attempt ends its process."""


def packed_outcome(
    name: str,
    value: Any,
    error: BaseException | None,
    dumps: Callable[[Any], bytes] = pickle.dumps,
) -> bytes:
    """An outcome as bytes, whatever it is: what cannot be sent becomes a WorkerError that says so."""
    if error is None:
        try:
            return dumps((value, None))
        except BaseException as reason:  # noqa: BLE001 - a value's own code may raise anything
            error = WorkerError(
                f"The result of phase {name!r} cannot be sent back: {in_words(reason)}.",
                hint='Return plain data, or give the phase runs_on="thread".',
            )
    else:
        keep_traceback(error)
    for sent in (error, _Anew(error)):
        # An exception's own code may raise anything.
        with suppress(BaseException):
            packed = dumps((None, sent))
            pickle.loads(packed)
            return packed
    stand_in = WorkerError(f"{type(error).__name__}: {_text(error)}")
    for note in getattr(error, "__notes__", ()):
        stand_in.add_note(note)
    return dumps((None, stand_in))


class _Anew:
    """An exception that is unpickled without its ``__init__``, which often takes something else than it hands on."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_anew, (type(self._error), self._error.args, self._error.__dict__)


def _made_anew(kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


def opened_outcome(name: str, data: bytes | bytearray) -> Any:
    """What the handler returned; raises what it raised."""
    try:
        value, error = pickle.loads(data)
    except BaseException as reason:
        raise WorkerError(
            f"What phase {name!r} sent back cannot be read here: {in_words(reason)}.",
            hint="Its class must be at the top level of a module that is found here as well.",
        ) from reason
    if error is not None:
        raise error
    return value


def in_words(reason: BaseException) -> str:
    """An error's type and text, whatever it is, without a full stop at the end."""
    return f"{type(reason).__name__}: {_text(reason)}".rstrip(".: ")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the rest
        return "(its text cannot be shown)"
