"""Children: commands in sessions of their own, waited for, and ended with everything that they started."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from milo.execution.groups import ASKED_NICELY, ProcessGroups
from milo.execution.guard import guard
from milo.execution.guard_process import kill_sessions, lives, signal_group, wait_gone
from milo.execution.pipes import Output, Pipes, Unheard, exit_notice

__all__ = ["Child"]

_PATIENCE = 2

_SHELL = "/bin/sh"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# The command registers itself before it becomes the command, and until then it holds the guard's pipe open (as its
# stdin): whenever this process is killed, the guard hears of the command before it hears of that. A guard that is
# gone is no reason not to run it.
_REGISTER = """trap '' PIPE; echo "+$$" 2>/dev/null >&0; trap - PIPE; """
_BECOME_PROGRAM = _REGISTER + 'exec "$@" </dev/null'
_BECOME_SCRIPT = _REGISTER + "exec </dev/null; "  # on the same line, so that the shell counts lines as ever


class Child:
    """A command, started in a session of its own.

    Args:
        command: Text for ``/bin/sh -c``, or a program and its arguments.
        cwd: Where it runs; the current directory by default.
        env: Its whole environment.
        groups: Where it is registered.
        grace_s: Seconds that it has to end when the thread that waits for it is interrupted.

    Attributes:
        group: The number of its process group, of its session, and of its first process.
        registered: Whether it tells the guard of itself.

    Raises:
        StateError: `groups` was closed.
        OSError: It cannot be started.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        groups: ProcessGroups,
        grace_s: float,
    ) -> None:
        groups.check()
        self._groups = groups
        self._grace_s = grace_s
        self._lock = threading.Lock()  # guards what follows: a number that was given back gets no signal
        self._reaped = False
        self._kill_at = math.inf
        self._timer: threading.Timer | None = None
        self._exited = False
        self._pipes = Pipes()
        stdin = guard.descriptor()
        self.registered = stdin is not None and _can_register(command, env)
        try:
            self._process = subprocess.Popen(
                _registering(command) if self.registered else _direct(command),
                stdin=stdin if self.registered else subprocess.DEVNULL,
                stdout=self._pipes.writing[0],
                stderr=self._pipes.writing[1],
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except BaseException:
            self._pipes.close()
            raise
        finally:
            self._pipes.started()
        self.group = self._process.pid
        try:
            groups.add(self)
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        signal_group(self.group, signal.SIGKILL)
        self._process.wait()
        self._pipes.close()
        guard.remove(self.group)

    def wait(self, output: Output) -> int:
        """Hand over what it writes until it has ended, and return its status: negative is the number of a signal.

        A process that it left behind and that keeps its output open is not waited for; a thread goes on reading.
        After an `end` it returns when the whole session is gone.

        Raises:
            KeyboardInterrupt: After the session has ended. A second one kills it at once.
        """
        raised: list[BaseException] = []
        while len(raised) <= _PATIENCE:
            try:
                status = self._see_out(output)
                break
            except BaseException as error:  # noqa: BLE001 - raised again when nothing of the session is left
                raised.append(error)
                self.end(0.0 if raised[1:] else self._grace_s)
                if not isinstance(error, KeyboardInterrupt):
                    output = Unheard()
        if raised:
            raise raised[0]
        return status

    def _see_out(self, output: Output) -> int:
        """Every step can be interrupted and begun again."""
        if not self._exited:
            notice = exit_notice(self.group)
            try:
                self._pipes.read_until(notice, output)
            finally:
                os.close(notice)
            self._exited = True
        self._pipes.read_rest(output)
        output.settle()
        self._pipes.go_on(output)
        if self._kill_at < math.inf and not wait_gone([self.group], self._kill_at):
            kill_sessions([self.group])
        return self._reap()

    def _reap(self) -> int:
        with self._lock:
            status = self._process.wait()
            self._reaped = True
            if self._timer is not None:
                self._timer.cancel()
        self._groups.done(self, left=lives(self.group))
        return status

    def end(self, grace_s: float) -> None:
        """Ask the whole session to end, and see to it that it is killed in time. Returns at once; for any thread.

        Args:
            grace_s: Seconds in which it is gone; 0 kills it at once.
        """
        with self._lock:
            asked_s = ASKED_NICELY * max(0.0, grace_s)
            kill_at = time.monotonic() + asked_s
            if self._reaped or kill_at >= self._kill_at:
                return
            if not asked_s:
                signal_group(self.group, signal.SIGKILL)
            elif self._kill_at == math.inf:
                signal_group(self.group, signal.SIGTERM)
                signal_group(self.group, signal.SIGCONT)  # a stopped process takes no other signal
            self._kill_at = kill_at
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(asked_s, self._kill)
            self._timer.daemon = True
            try:
                self._timer.start()
            except RuntimeError:
                # No more threads: nobody could kill it later.
                signal_group(self.group, signal.SIGKILL)

    def _kill(self) -> None:
        with self._lock:
            if self._reaped:
                return
            signal_group(self.group, signal.SIGKILL)
        kill_sessions([self.group])


def _can_register(command: str | Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a shell hands on a program as it is; one that is started directly is registered a moment later.

    A shell drops variables whose names it could not use itself, and takes a dash for an option.
    """
    return isinstance(command, str) or (
        not command[0].startswith("-") and all(_NAME.fullmatch(name) for name in env)
    )


def _registering(command: str | Sequence[str]) -> list[str]:
    if isinstance(command, str):
        return [_SHELL, "-c", _BECOME_SCRIPT + command, _SHELL]
    return [_SHELL, "-c", _BECOME_PROGRAM, _SHELL, *command]


def _direct(command: str | Sequence[str]) -> list[str]:
    return [_SHELL, "-c", command] if isinstance(command, str) else list(command)
