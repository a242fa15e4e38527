"""Commands of the system: `sh` runs one inside a handler, `shell` makes a handler of one."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import threading
from dataclasses import dataclass
from subprocess import CompletedProcess

from milo.errors import MiloError, PhaseCancelled
from milo.execution.commands.checks import (
    Command,
    Environment,
    checked_command,
    checked_cwd,
    checked_env,
    refuse_event_loop,
    refuse_system,
)
from milo.execution.commands.children import Child
from milo.execution.commands.output import CommandOutput
from milo.execution.current import CurrentPhase, phase_or_none
from milo.execution.groups import groups_here
from milo.text import safe_line

__all__ = ["CommandError", "Shell", "sh", "shell"]

_SHOWN = 400  # characters of a command or of a line in an error
_GRACE_S = 5.0  # outside a phase
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127


class CommandError(MiloError):
    """A command failed, or could not be started.

    Attributes:
        command: The command, as text or as a tuple of its arguments.
        returncode: Its exit status, negative for the number of the signal that ended it; None if it never ran.
        stdout: What it wrote there; of a `shell` handler only the last lines.
        stderr: Likewise.
    """

    code = "command"

    def __init__(
        self,
        message: str,
        *,
        command: str | tuple[str, ...],
        returncode: int | None = None,
        stdout: str = "",
        stderr: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.command = command
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True, slots=True, repr=False)
class Shell:
    """A command as a handler: calling it runs the command, and a status that is not 0 is a `CommandError`.

    Made by `shell`. It compares by value, and can be hashed and pickled.

    Attributes:
        command: Text for ``/bin/sh -c``, or the command and its arguments.
        cwd: Where it runs; None for the current directory at that time.
        env: Names and values that it gets beside the environment of that time; None as a value removes one.
    """

    command: str | tuple[str, ...]
    cwd: str | None = None
    env: tuple[tuple[str, str | None], ...] = ()

    def __call__(self) -> None:
        phase = phase_or_none()
        output = CommandOutput(phase, keep=False)
        status = _run(self, phase, output)
        if status:
            raise _failure(self, status, output)

    def __repr__(self) -> str:
        command = self.command if isinstance(self.command, str) else list(self.command)
        cwd = f", cwd={self.cwd!r}" if self.cwd is not None else ""
        # Values may be secret: names alone.
        env = f", env={{{', '.join(f'{name!r}: ...' for name, _ in self.env)}}}" if self.env else ""
        return f"shell({command!r}{cwd}{env})"


def shell(
    command: Command, *, cwd: str | os.PathLike[str] | None = None, env: Environment | None = None
) -> Shell:
    """Make a handler of a command.

    Its stdout and stderr become the phase's log lines, live. It runs in a session of its own with ``/dev/null`` as its
    stdin, and is ended with everything that it started when the phase is cancelled or its time is up.

    Args:
        command: Text goes through ``/bin/sh -c``; of a sequence the first is the program, the others its arguments.
        cwd: The directory to run it in.
        env: Variables to add to the environment; None as a value removes one.

    Returns:
        A callable without arguments, which compares by value.

    Raises:
        StateError: An argument is refused.
    """
    return Shell(checked_command(command), checked_cwd(cwd), checked_env(env))


def sh(
    command: Command,
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Environment | None = None,
    check: bool = True,
) -> CompletedProcess[str]:
    """Run a command and wait for its end, as `shell` describes it.

    Inside a handler its output becomes log lines of the phase, outside it goes to sys.stdout and sys.stderr.

    Args:
        command: Text goes through ``/bin/sh -c``; of a sequence the first is the program, the others its arguments.
        cwd: The directory to run it in.
        env: Variables to add to the environment; None as a value removes one.
        check: Whether a status that is not 0 is an error.

    Returns:
        Its status and all that it wrote.

    Raises:
        CommandError: It failed, or it could not be started.
        StateError: An argument is refused, or an event loop runs in this thread.
        PhaseCancelled: The phase was cancelled or its time is up; the command and what it started were ended.
    """
    made = shell(command, cwd=cwd, env=env)
    phase = phase_or_none()
    output = CommandOutput(phase, keep=True)
    status = _run(made, phase, output)
    if check and status:
        raise _failure(made, status, output)
    return CompletedProcess(made.command, status, output.text("stdout"), output.text("stderr"))


def _run(made: Shell, phase: CurrentPhase | None, output: CommandOutput) -> int:
    """Run the command to its end; returns its status."""
    refuse_system()
    refuse_event_loop()
    if phase is None:
        return _start(made, _GRACE_S).wait(output)
    stopping = _Stopping(phase)
    forget = phase.on_cancel(stopping)
    try:
        stopping.check()
        child = _start(made, phase.grace_s)
        stopping.attach(child)
        status = child.wait(output)
    except Exception:
        # Whatever came of a command that was told to end, it is not the command's own doing.
        stopping.check()
        raise
    finally:
        forget()
    stopping.check()
    return status


class _Stopping:
    """Hands a cancellation of the phase on to the command, whichever comes first."""

    def __init__(self, phase: CurrentPhase) -> None:
        self._phase = phase
        self._lock = threading.Lock()
        self._cancelled = False
        self._child: Child | None = None

    def __call__(self) -> None:
        with self._lock:
            self._cancelled = True
            child = self._child
        if child is not None:
            child.end(self._phase.grace_s)

    def attach(self, child: Child) -> None:
        with self._lock:
            self._child = child
            cancelled = self._cancelled
        if cancelled:
            child.end(self._phase.grace_s)

    def check(self) -> None:
        if self._cancelled:
            raise PhaseCancelled(f"Phase {self._phase.name!r} was cancelled.")


def _start(made: Shell, grace_s: float) -> Child:
    env = _environment(made.env)
    if made.cwd is not None and not os.path.isdir(made.cwd):
        raise CommandError(
            f"{_shown(made.command)} cannot run in {made.cwd!r}: there is no such directory.",
            command=made.command,
        )
    if not isinstance(made.command, str):
        _refuse_unknown(made.command, made.cwd, env)
    try:
        return Child(made.command, cwd=made.cwd, env=env, groups=groups_here(), grace_s=grace_s)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"{_shown(made.command)} could not be started: {reason}.", command=made.command
        ) from error


def _environment(changes: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    env = dict(os.environ)
    for name, value in changes:
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def _refuse_unknown(args: tuple[str, ...], cwd: str | None, env: dict[str, str]) -> None:
    """Refuse a program that cannot be found, before a shell says so in its own words."""
    program = args[0]
    # Relative names are meant from where the command runs.
    here = cwd if cwd is not None else os.curdir
    if os.path.dirname(program):
        found = shutil.which(os.path.join(here, program))
        where = f"no program in {os.path.abspath(here)!r}" if not os.path.isabs(program) else "no program"
    else:
        directories = env.get("PATH", os.defpath).split(os.pathsep)
        found = shutil.which(program, path=os.pathsep.join(os.path.join(here, each) for each in directories))
        where = "not on the PATH"
    if found is None:
        hint = "Text with a whole command line goes without a list." if " " in program else ""
        raise CommandError(
            f"The command {program!r} was not found, or is not executable ({where}).",
            command=args,
            hint=hint,
        )


def _failure(made: Shell, status: int, output: CommandOutput) -> CommandError:
    last = [_shortened(safe_line(line)) for line in output.last]
    told = "\n  ".join([" Its last lines:", *last]) if last else " It wrote nothing."
    return CommandError(
        f"{_shown(made.command)} {_outcome(status)}.{told}",
        command=made.command,
        returncode=status,
        stdout=output.text("stdout"),
        stderr=output.text("stderr"),
    )


def _outcome(status: int) -> str:
    if status < 0:
        return f"was ended by {_signal_name(-status)}"
    reason = ""
    if status == _NOT_FOUND:
        reason = " (a command was not found)"
    elif status == _NOT_EXECUTABLE:
        reason = " (a file could not be executed)"
    elif status > 128 and (name := _signal_name(status - 128)).startswith("SIG"):
        reason = f" (128 + {name})"
    return f"exited with status {status}{reason}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _shown(command: str | tuple[str, ...]) -> str:
    text = command if isinstance(command, str) else shlex.join(command)
    return f"The command `{_shortened(safe_line(text))}`"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
