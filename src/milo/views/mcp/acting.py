"""What the tools do: one run of this server's at a time is started, waited for, gone on with, or cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from milo.errors import MiloError
from milo.journal import EmptyError, RunInfo, history
from milo.views.mcp.launcher import Launcher, LaunchError, Order
from milo.views.mcp.look import Look, NoRunError
from milo.views.mcp.own_run import OwnRun, newest_number

__all__ = ["Acting", "BusyError"]

Report = Callable[[Look], Awaitable[object]]
Start = Callable[..., object]


class BusyError(MiloError, RuntimeError):
    """A run is at work already."""

    code = "busy"


class Acting:
    """Acts for the clients of a server, whose task group runs what goes on beside their requests.

    Args:
        launcher: Starts and explains.
        path: The journal that runs are recorded in.
        target: The pipeline's target, resolved.
    """

    def __init__(self, launcher: Launcher, path: Path, target: str) -> None:
        self._launcher = launcher
        self._path = path
        self._target = target
        self._run: OwnRun | None = None
        self._starting = False

    async def run(self, order: Order, *, wait: bool, report: Report, start: Start) -> Look:
        """Start a run.

        Args:
            order: What to run.
            wait: Whether to wait for its end; a caller who stops waiting cancels it.
            report: Told of each change while the caller waits.
            start: Starts a task that lives as long as the server.

        Returns:
            How it stands: at its end, or when it has begun.

        Raises:
            BusyError: One is at work already.
            LaunchError: It has not come to a run.
            JournalError: The journal cannot be read.
        """
        if self._starting:
            raise BusyError("A run is being started.", hint="Wait for it: read the timeline.")
        self._starting = True
        try:
            run = await self._started(order)
        finally:
            self._starting = False
        start(run.attend)
        try:
            look = await run.after(None)
            # A run is recorded a moment before it has begun.
            while look is not None and (wait or look.status == "pending"):
                if wait:
                    await report(look)
                look = await run.after(look)
        except BaseException:
            # Whoever waited wants it no more, or is gone; the task that attends it sees it ended.
            run.launched.cancel()
            raise
        return self._outcome(run)

    async def _started(self, order: Order) -> OwnRun:
        await self._refuse_second()
        name = order.run
        before = await anyio.to_thread.run_sync(partial(newest_number, self._path))
        launched = await self._launcher.start(order)
        self._run = run = OwnRun(launched, self._path, before, name)
        return run

    async def resume(self, order: Order, *, wait: bool, report: Report, start: Start) -> Look:
        """Go on with the run that `order` names, or with the newest that was not finished; see `run`.

        Raises:
            NoRunError: There is none.
        """
        await self._refuse_second()
        info = await anyio.to_thread.run_sync(partial(self._unfinished, order.run))
        return await self.run(order._replace(run=info.row.name), wait=wait, report=report, start=start)

    async def cancel(self, name: str) -> Look:
        """Cancel the run of this server that is at work, and wait for its end.

        Raises:
            NoRunError: None is, or another than `name`.
            LaunchError: It has not come to a run.
        """
        run = self._run
        if run is None or run.exit_status is not None:
            raise NoRunError(
                "No run that this server has started is at work.",
                hint="One that somebody else has started is theirs to stop, with Ctrl-C where it runs.",
            )
        if name and name != run.name:
            raise NoRunError(
                f"The run at work is {run.name or 'just starting'}, not {name!r}.",
                hint="Name that one, or none.",
            )
        run.launched.cancel()
        await run.ended()
        return self._outcome(run)

    async def explain(self, order: Order) -> dict[str, Any]:
        """Tell for each phase whether it would run, and why. Raises LaunchError."""
        return await self._launcher.explain(order)

    async def _refuse_second(self) -> None:
        run = self._run
        if run is not None and run.exit_status is None:
            raise BusyError(
                f"The run {run.name or 'that was started last'} is at work.",
                hint="Wait for it, following the timeline, or end it with cancel_run.",
            )
        other = await anyio.to_thread.run_sync(self._at_work)
        if other is not None:
            raise BusyError(
                f"The run {other.row.name} is at work already: {other.holder} has started it.",
                hint="Wait for it, following the timeline.",
            )

    def _at_work(self) -> RunInfo | None:
        """A run of the same pipeline that some process works on."""
        return next((info for info in self._history() if info.holder is not None), None)

    def _history(self) -> list[RunInfo]:
        try:
            return history(self._path, target=self._target)
        except EmptyError:
            return []

    def _unfinished(self, name: str) -> RunInfo:
        every = self._history()
        known = [info for info in every if info.row.name == name] or [
            info for info in every if info.row.name.startswith(name)
        ]
        if not known:
            of = f" whose name begins with {name!r}" if name else ""
            raise NoRunError(f"No run of this pipeline{of} is recorded.", hint=_LISTED)
        if not name:
            known = [info for info in known if info.resumable][:1]
            if not known:
                raise NoRunError(
                    "There is nothing to resume: no run of this pipeline is unfinished.", hint=_LISTED
                )
        if len(known) > 1:
            raise NoRunError(
                f"{len(known)} runs of this pipeline have names that begin with {name!r}.", hint=_LISTED
            )
        if not known[0].resumable:
            why = known[0].broken or f"it has {known[0].status}"
            raise NoRunError(f"The run {known[0].row.name} cannot be resumed: {why}.", hint=_LISTED)
        return known[0]

    def _outcome(self, run: OwnRun) -> Look:
        if run.look is None:
            raise LaunchError(f"It did not come to a run: {run.launched.said}")
        if run.look.status == "interrupted" and run.exit_status is not None:
            # It could not say how it ended: what its process wrote may.
            return run.look._replace(note=f"{run.look.note} {run.launched.said}".strip())
        return run.look


_LISTED = "milo://pipeline/runs lists them; run_pipeline starts one."
