"""What a command may be: its arguments checked before anything is declared or started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from milo.errors import StateError

__all__ = [
    "Command",
    "Environment",
    "checked_command",
    "checked_cwd",
    "checked_env",
    "refuse_event_loop",
    "refuse_system",
]

Command = str | Sequence[str | os.PathLike[str]]
Environment = Mapping[str, str | os.PathLike[str] | None]


def checked_command(command: Command) -> str | tuple[str, ...]:
    """The command as text or as a tuple of texts. Raises StateError."""
    if isinstance(command, str):
        if not command.strip():
            raise StateError(f"A command must not be empty, got {command!r}.")
        return _without_nul("A command", command)
    if isinstance(command, bytes | bytearray) or not isinstance(command, Sequence):
        raise StateError(
            f"A command must be text or a sequence of texts, got {command!r}.",
            hint='For example "make all" or ["make", "all"].',
        )
    if not command:
        raise StateError(f"A command must not be empty, got {command!r}.")
    args = tuple([_text(f"Argument {number} of a command", arg) for number, arg in enumerate(command)])
    if not args[0].strip():
        raise StateError(f"The first of a command's arguments must name a program, got {command!r}.")
    return args


def checked_cwd(cwd: str | os.PathLike[str] | None) -> str | None:
    """The directory as text. Whether there is one is asked when the command runs. Raises StateError."""
    if cwd is None:
        return None
    path = _text("cwd", cwd)
    if not path:
        raise StateError("cwd must not be empty.", hint="Leave it out for the current directory.")
    return path


def checked_env(env: Environment | None) -> tuple[tuple[str, str | None], ...]:
    """The changes to the environment, in order of their names. Raises StateError."""
    if env is None:
        return ()
    if not isinstance(env, Mapping):
        raise StateError(
            f"env must be a mapping from names to texts, got {env!r}.",
            hint='For example {"DEBUG": "1"}; the rest of the environment stays.',
        )
    return tuple(sorted((_name(name), _value(name, value)) for name, value in env.items()))


def refuse_system() -> None:
    """Raise StateError where commands cannot be run: not on this system."""
    if os.name != "posix":
        raise StateError(
            "sh and shell need a POSIX system: on this one commands cannot be ended with all that they started.",
            hint="Call subprocess.run in the handler instead.",
        )


def refuse_event_loop() -> None:
    """Raise StateError if an event loop runs in this thread: it would stand still until the command has ended."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise StateError(
        "A command would block the event loop that runs in this thread.",
        hint="Use `await asyncio.to_thread(milo.sh, ...)` instead.",
    )


def _name(name: object) -> str:
    if not isinstance(name, str) or not name or "=" in name:
        raise StateError(f"A name in env must be a text without '=', got {name!r}.")
    return _without_nul("A name in env", name)


def _value(name: str, value: object) -> str | None:
    # The value itself may be secret: it is not shown.
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise StateError(
            f"The value of {name!r} in env must be a text or None, got {type(value).__name__}.",
            hint="None removes the variable; write a number as text.",
        )
    return _text(f"The value of {name!r} in env", value, shown=False)


def _text(what: str, value: Any, *, shown: bool = True) -> str:
    got = f", got {value!r}" if shown else ""
    try:
        text = os.fspath(value)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise StateError(f"{what} must be a text or a path{got}.")
    return _without_nul(what, text, shown=shown)


def _without_nul(what: str, text: str, *, shown: bool = True) -> str:
    if "\0" in text:
        got = f", got {text!r}" if shown else ""
        raise StateError(f"{what} must not contain a NUL character{got}.")
    return text
