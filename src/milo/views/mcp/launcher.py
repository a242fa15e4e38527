"""The port through which the server's tools act: whoever makes the server says how a run is started and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from milo.errors import MiloError

__all__ = ["LaunchError", "Launched", "Launcher", "Order"]


class LaunchError(MiloError, RuntimeError):
    """What was asked for could not be started, or ended before it came to a run."""

    code = "launch"


class Order(NamedTuple):
    """What shall be run, or explained.

    Attributes:
        phases: These and what they need; all when empty.
        parameters: For the function that makes the pipeline: the values of each name.
        keep_going: Whether phases that do not depend on a failed one still run.
        run: The recorded run to go on with; "" for a new one.
    """

    phases: Sequence[str] = ()
    parameters: Mapping[str, Sequence[str]] = {}
    keep_going: bool = False
    run: str = ""


class Launched(Protocol):
    """The process of a run."""

    pid: int

    @property
    def said(self) -> str:
        """How its process has ended, in words that quote what it has written."""

    async def wait(self) -> int:
        """Wait for its end; returns its exit status."""

    def cancel(self) -> None:
        """Ask it to end the run, and what the run has started; it is made to if it does not heed."""

    async def end(self) -> None:
        """See it ended, cancelled if it has not ended by itself."""


class Launcher(Protocol):
    """Starts what the tools ask for, each time from the code as it stands then."""

    async def start(self, order: Order) -> Launched:
        """Start a run. Raises LaunchError."""

    async def explain(self, order: Order) -> dict[str, Any]:
        """Tell for each phase whether it would run, and why. Raises LaunchError."""
