"""Launching: `milo run` and `milo explain` as child processes, for the tools of a server that agents use."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from milo.execution.guard import guard
from milo.execution.guard_process import kill_sessions
from milo.text import safe_line
from milo.views.mcp import Launched, LaunchError, Order

__all__ = ["ChildLauncher"]

_SAID_LINES: Final = 20
_SAID_LENGTH: Final = 2000
_LAST_WORDS_S: Final = 0.5
# Longer than a run's own grace (5 s by default), so that it comes to its end by itself.
_END_S: Final = 8.0
# What decides how `milo run` shows itself, or what it runs, is decided by the order alone.
_DECIDED: Final = frozenset(
    {
        "MILO_CI",
        "MILO_DRY_RUN",
        "MILO_JOURNAL",
        "MILO_JSON",
        "MILO_NO_JOURNAL",
        "MILO_PARAM",
        "MILO_PLAIN",
        "MILO_QUIET",
        "MILO_RESUME",
        "MILO_RUN",
        "MILO_TARGET",
        "MILO_TUI",
    }
)


class ChildLauncher:
    """Runs the `milo` of this interpreter anew for each order, so that it works on the code as it stands then.

    Args:
        target: The TARGET, resolved.
        journal: The journal's file.
    """

    def __init__(self, target: str, journal: Path) -> None:
        self._target = target
        self._journal = journal

    async def start(self, order: Order) -> Launched:
        """Start a run. Raises LaunchError."""
        resume = [f"--resume={order.run}"] if order.run else []
        keep_going = ["--keep-going"] if order.keep_going else []
        words = self._words("run", ["--quiet", "--no-color", *resume, *keep_going], order)
        return ChildRun(await _started(words, stdout=DEVNULL))

    async def explain(self, order: Order) -> dict[str, Any]:
        """Tell for each phase whether it would run, and why. Raises LaunchError."""
        run = [f"--run={order.run}"] if order.run else []
        process = await _started(self._words("explain", ["--json", *run], order), stdout=PIPE)
        try:
            written, said = await process.communicate()
        finally:
            _kill(process)
            guard.remove(process.pid)
        if process.returncode != 0:
            raise LaunchError(
                _last_words(said.splitlines()) or f"milo ended with status {process.returncode}."
            )
        explained: dict[str, Any] = json.loads(written)
        return explained

    def _words(self, command: str, options: list[str], order: Order) -> list[str]:
        given = [f"--param={name}={value}" for name, values in order.parameters.items() for value in values]
        journal = f"--journal={self._journal.absolute()}"
        # What comes from an agent stands behind the --, or in an option's own word: none of it is read as an option.
        return [command, journal, *options, *given, "--", self._target, *order.phases]


class ChildRun:
    """A run in a process of its own.

    Args:
        process: That process; it leads a session, and its stderr is a pipe.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        self._said: deque[bytes] = deque(maxlen=_SAID_LINES)
        self._hearing = asyncio.create_task(self._hear())

    @property
    def said(self) -> str:
        """The last lines that it has written to stderr."""
        return _last_words(self._said)

    async def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        status = await self._process.wait()
        # Whatever a phase has left behind may hold the pipe open for ever.
        await asyncio.wait([self._hearing], timeout=_LAST_WORDS_S)
        return status

    def cancel(self) -> None:
        """Ask it to end the run, and what the run has started."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def end(self) -> None:
        """See it ended: it was cancelled and comes to its end, or is killed in some seconds."""
        try:
            await asyncio.wait_for(self._process.wait(), _END_S)
        except TimeoutError:
            _kill(self._process)
            await self._process.wait()
        finally:
            self._hearing.cancel()
            guard.remove(self.pid)

    async def _hear(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while True:
            try:
                line = await stderr.readline()
            except ValueError:
                continue  # longer than a reader may keep: it is passed over
            if not line:
                return
            self._said.append(line)


async def _started(words: list[str], *, stdout: int) -> Process:
    guard.descriptor()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "milo",
            *words,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=PIPE,
            env=_environment(os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise LaunchError(f"milo cannot be started: {error}.") from error
    # Ended with this process, however that ends.
    guard.add(process.pid)
    return process


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _DECIDED}


def _kill(process: Process) -> None:
    if process.returncode is None:
        kill_sessions([process.pid])


def _last_words(lines: Any) -> str:
    text = "\n".join(safe_line(line.decode("utf-8", "replace").rstrip("\r\n")) for line in lines)
    return text.strip().removeprefix("milo: ")[-_SAID_LENGTH:]
