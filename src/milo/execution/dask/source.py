"""Sources: where the tasks that hold threads run: on a cluster of the run's own, or of somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from milo.execution.placement import WorkerError

__all__ = ["MOST_ELSEWHERE", "Elsewhere", "Lease", "Source"]

MOST_ELSEWHERE = 256
"""Each attempt that runs has a connection from the scheduler to its worker, which has 512 of them for everybody."""


class Lease:
    """One task that holds a thread.

    Attributes:
        worker: The address of the worker that runs it; empty before it does.
        where: The worker, in words for people.
        process: Its process, where that is the run's own.
    """

    def __init__(self, key: str, process: Any = None) -> None:
        self.key = key
        self.worker = ""
        self.where = ""
        self.process = process
        self.future: Any = None


class Source(Protocol):
    """What differs between a cluster of the run's own and somebody else's."""

    most: int
    """How many tasks are held at once."""
    idle_s: float | None
    """Seconds without an attempt after which a task ends."""
    turn_s: float
    """Seconds after which a task ends, though there are attempts for it."""
    start_s: float | None
    """Seconds within which a task begins; None where it may have to wait for others."""

    def open(self, key: str, lost: Callable[[WorkerError], None]) -> tuple[Any, dict[str, Any]]:
        """Make room for one more task; returns the process that will run it, if it is known, and options of `submit`.

        Raises WorkerError if that is not possible. Calls `lost` when the process ends, whenever that is.
        """

    def dropped(self, lease: Lease) -> None:
        """The task is not needed any more, or its worker is gone."""

    def failed(self, lease: Lease) -> tuple[str, str]:
        """What became of the worker of a lease that was dropped, to follow its name, and a hint."""


class Elsewhere:
    """Somebody else's cluster: its threads are borrowed for a while."""

    most = MOST_ELSEWHERE
    # A thread that nothing is asked of goes back, and so does one after a while: others may wait for it.
    idle_s = 1.0
    turn_s = 5.0
    start_s = None

    def open(self, key: str, lost: Callable[[WorkerError], None]) -> tuple[Any, dict[str, Any]]:
        """Dask chooses the worker."""
        return None, {}

    def dropped(self, lease: Lease) -> None:
        """Its worker hears of it through Dask."""

    def failed(self, lease: Lease) -> tuple[str, str]:
        return "ended or was restarted", "What the phase has done there is not known."

    async def close(self) -> None:
        """It goes on."""
