"""A look at a run: what the server shows of it, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from milo.errors import MiloError
from milo.pipeline import PipelineState

__all__ = ["Declared", "Look", "NoRunError", "Source"]


class NoRunError(MiloError, LookupError):
    """There is no run that could be shown."""

    code = "no-run"


class Declared(Protocol):
    """What the graph shows of a phase."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def depends_on(self) -> tuple[str, ...]: ...
    @property
    def parallel(self) -> bool: ...
    @property
    def weight(self) -> float: ...
    @property
    def max_logs(self) -> int: ...


class Look(NamedTuple):
    """A run as it stands.

    Attributes:
        run: Its name; "" where it has none.
        status: As its state says, or "interrupted" where nobody works on it any more.
        state: Its state.
        phases: What it declared; None where that is not known.
        now: Monotonic seconds until which what runs has been running; None where that is not known.
        note: What is wrong with the record of it; "" when nothing is.
        output: Where the complete output of a phase stands; None where it is not kept.
        broken: Whether what is wrong with the record keeps the run from being resumed.
    """

    run: str
    status: str
    state: PipelineState
    phases: Sequence[Declared] | None
    now: float | None = None
    note: str = ""
    output: Callable[[str], Path] | None = None
    broken: bool = False

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on with."""
        return self.status in ("failed", "cancelled", "interrupted") and bool(self.run) and not self.broken


class Source(Protocol):
    """Where runs come from. Its methods are for any thread."""

    polled: bool
    """Whether it has to be asked to notice that something has changed; otherwise it wakes whoever watches."""

    def look(self) -> Look:
        """The run to show, as it stands. Raises NoRunError where there is none."""

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first, for JSON."""

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, from any thread, when something has changed; returns what ends that."""

    def close(self) -> None:
        """Release what is open."""
