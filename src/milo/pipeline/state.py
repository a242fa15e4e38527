"""PipelineState, PhaseStatus and PhaseLog: what can be observed of a run, immutable and cheap to step from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Final

from milo.pipeline.vector import Vector
from milo.value import Value, assign, setters

__all__ = ["Logs", "PhaseLog", "PhaseStatus", "PipelineState", "Roster"]


class PhaseLog(Value):
    """One captured line.

    Args:
        line: The text without its newline.
        stream: "stdout" or "stderr".
        timestamp: Monotonic seconds.
    """

    __slots__ = ("line", "stream", "timestamp")
    __match_args__ = ("line", "stream", "timestamp")
    line: str
    stream: str
    timestamp: float

    def __init__(self, line: str, stream: str = "stdout", timestamp: float = 0.0) -> None:
        _log_line(self, line)
        _log_stream(self, stream)
        _log_timestamp(self, timestamp)


_log_line, _log_stream, _log_timestamp = setters(PhaseLog)


Line = tuple[str, str, float]
"""The fields of a PhaseLog; one of those is made when somebody reads."""


class Logs:
    """The last lines of a phase: a window on a list that only grows, which later windows share.

    A list that has grown to twice the window is left behind, so memory stays bounded by `limit`.
    """

    __slots__ = ("_end", "_lines", "_start")

    def __init__(self, lines: list[Line], start: int, end: int) -> None:
        self._lines = lines
        self._start = start
        self._end = end

    def add(self, log: Line, limit: int) -> Logs:
        """The window that ends with `log`, at most `limit` lines long."""
        if limit <= 0:
            return NO_LOGS
        lines, end = self._lines, self._end
        start = max(self._start, end + 1 - limit)
        if start >= limit:
            lines = lines[start:end]
            start, end = 0, len(lines)
        if len(lines) != end:
            # Another future of this window has added its own line here: part ways with it.
            lines = lines[:end]
        lines.append(log)
        if lines[end] is not log:
            lines = [*lines[:end], log]
        return Logs(lines, start, end + 1)

    def __len__(self) -> int:
        return self._end - self._start

    def as_tuple(self, first: int = 0, end: int | None = None) -> tuple[PhaseLog, ...]:
        """The lines; only those from number `first` up to `end` where not all are needed, counted from 0."""
        stop = self._end if end is None else min(self._start + end, self._end)
        return tuple([PhaseLog(*each) for each in self._lines[self._start + first : stop]])


class _NoLogs(Logs):
    """Where every phase begins; it has no list that several phases could share."""

    __slots__ = ()

    def add(self, log: Line, limit: int) -> Logs:
        return Logs([log], 0, 1) if limit > 0 else self


NO_LOGS: Final = _NoLogs([], 0, 0)


Leaf = tuple[str, float, float, str, int, Logs]
"""What changes of one phase: status, started_at, elapsed, error, attempt, logs. A PhaseStatus is made of it when
somebody reads; a plain tuple costs a fifth of a class with names, and two are made for every phase that runs."""

STATUS: Final = 0
LOGS: Final = 5
PENDING: Final[Leaf] = ("pending", 0.0, 0.0, "", 1, NO_LOGS)


class PhaseStatus(Value):
    """One phase as it stands.

    Args:
        name: The phase's name.
        status: pending, running, retrying, completed, failed, skipped or cancelled.
        started_at: Monotonic seconds at which its first attempt began.
        elapsed: Seconds from then to its last change.
        error: The message of its failure, or of its last failed attempt.
        attempt: The number of its attempt, from 1.
        logs: Its captured lines, the last `max_logs`.
    """

    __slots__ = ("attempt", "elapsed", "error", "logs", "name", "started_at", "status")
    __match_args__ = ("name", "status", "started_at", "elapsed", "error", "attempt", "logs")
    name: str
    status: str
    started_at: float
    elapsed: float
    error: str
    attempt: int
    logs: tuple[PhaseLog, ...]

    def __init__(
        self,
        name: str,
        status: str = "pending",
        started_at: float = 0.0,
        elapsed: float = 0.0,
        error: str = "",
        attempt: int = 1,
        logs: Iterable[PhaseLog] = (),
    ) -> None:
        values = (name, status, started_at, elapsed, error, attempt, tuple(logs))
        assign(self, _STATUS, values)


_STATUS = setters(PhaseStatus)


class Roster:
    """What all states of one pipeline share: its name, and the phases' names, weights and log limits by number."""

    __slots__ = ("max_logs", "name", "names", "numbers", "total_weight", "weights")

    def __init__(self, name: str, names: list[str], weights: list[float], max_logs: list[int]) -> None:
        self.name = name
        self.names = names
        self.weights = weights
        self.max_logs = max_logs
        self.numbers = {phase: number for number, phase in enumerate(names)}
        self.total_weight = sum(weights)

    def renamed(self, name: str) -> Roster:
        """The same phases under another pipeline's name."""
        roster = copy(self)
        roster.name = name
        return roster


Core = tuple[Roster, Vector, str, float, float, float, str, float, float]
"""What a state is made of: roster, leaves, current_phase, started_at, elapsed, progress, status, the finished weight,
and the last time it knows."""


class PipelineState:
    """A run as it stands; a step makes a new state in O(log n), and old ones never change.

    Args:
        name: The pipeline's name.
        phases: PhaseStatus objects in declared order.
        current_phase: The phase that was started last; "" when none was or all is done.
        started_at: Monotonic seconds.
        elapsed: Seconds from the start to the last action.
        progress: 0.0 to 1.0 by weight.
        status: pending, running, completed, failed or cancelled.
    """

    # One tuple, so that a step writes one field instead of a dozen.
    __slots__ = ("_core", "_phases")

    _core: Core
    _phases: tuple[PhaseStatus, ...]

    def __init__(
        self,
        name: str = "",
        phases: Iterable[PhaseStatus] = (),
        current_phase: str = "",
        started_at: float = 0.0,
        elapsed: float = 0.0,
        progress: float = 0.0,
        status: str = "pending",
    ) -> None:
        statuses = tuple(phases)
        names = [each.name for each in statuses]
        logs = [max(200, len(each.logs)) for each in statuses]
        leaves = [leaf_of(each) for each in statuses]
        finished = float(sum(leaf[STATUS] in FINISHED for leaf in leaves))
        roster = Roster(name, names, [1.0] * len(names), logs)
        now = started_at + elapsed
        core = (roster, Vector(leaves), current_phase, started_at, elapsed, progress, status, finished, now)
        set_core(self, core)

    @property
    def name(self) -> str:
        return self._core[0].name

    @property
    def current_phase(self) -> str:
        return self._core[2]

    @property
    def started_at(self) -> float:
        return self._core[3]

    @property
    def elapsed(self) -> float:
        return self._core[4]

    @property
    def progress(self) -> float:
        return self._core[5]

    @property
    def status(self) -> str:
        return self._core[6]

    @property
    def phases(self) -> tuple[PhaseStatus, ...]:
        """Every phase in declared order; made when first read, and then kept."""
        try:
            return self._phases
        except AttributeError:
            phases = tuple(map(status_of, self._core[0].names, self._core[1]))
            _set_phases(self, phases)
            return phases

    def phase(self, name: str) -> PhaseStatus:
        """The phase called `name`, in constant time. Raises KeyError when there is none."""
        roster, leaves = self._core[:2]
        return status_of(name, leaves[roster.numbers[name]])

    @property
    def names(self) -> Sequence[str]:
        """The names of the phases in declared order, without making a PhaseStatus of each."""
        return self._core[0].names

    @property
    def leaves(self) -> Vector:
        """What changes of each phase, by number; see Leaf."""
        return self._core[1]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"PipelineState is immutable: cannot set {name!r}. Dispatch an action instead.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"PipelineState is immutable: cannot delete {name!r}. Dispatch an action instead."
        )

    def _plain(self) -> tuple[Any, ...]:
        roster, _, current_phase, started_at, elapsed, progress, status, _, _ = self._core
        return roster.name, self.phases, current_phase, started_at, elapsed, progress, status

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not PipelineState:
            return NotImplemented
        return self is other or self._plain() == other._plain()

    def __hash__(self) -> int:
        roster, _, *values, _, _ = self._core
        return hash((roster.name, *values))

    def __repr__(self) -> str:
        return (
            f"PipelineState(name={self.name!r}, status={self.status!r}, progress={self.progress!r}, "
            f"current_phase={self.current_phase!r}, elapsed={self.elapsed!r}, phases=<{len(self.leaves)}>)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return PipelineState, self._plain()


FINISHED: Final = frozenset({"completed", "skipped"})
GOING: Final = frozenset({"running", "retrying"})

set_core, _set_phases = (PipelineState.__dict__[name].__set__ for name in PipelineState.__slots__)
_new: Final = object.__new__


def state_of(core: Core) -> PipelineState:
    """The state that is made of `core`; only this module and the reducer may make one so."""
    state: PipelineState = _new(PipelineState)
    set_core(state, core)
    return state


def status_of(name: str, leaf: Leaf) -> PhaseStatus:
    """The public view of one phase."""
    status, started_at, elapsed, error, attempt, logs = leaf
    return PhaseStatus(name, status, started_at, elapsed, error, attempt, logs.as_tuple())


def leaf_of(status: PhaseStatus) -> Leaf:
    """The other way round, for states that were built by hand."""
    lines = [(log.line, log.stream, log.timestamp) for log in status.logs]
    logs = Logs(lines, 0, len(lines)) if lines else NO_LOGS
    return status.status, status.started_at, status.elapsed, status.error, status.attempt, logs
