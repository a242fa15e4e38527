"""Exits: what the status of a process that has ended says, in words."""

from __future__ import annotations

import signal

__all__ = ["HUNG_UP", "exit_reason", "exit_words"]

HUNG_UP = "It had closed its connection to the run and went on, so it was ended: something closes what is not its own."
"""The reason where a process had to be ended that was of no more use."""


def exit_words(status: int) -> str:
    """How it ended, to follow its name."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def exit_reason(status: int) -> str:
    """What may have been the reason where nobody has told one."""
    if status == -signal.SIGKILL:
        return "Somebody has killed it, as the system does when memory runs out."
    return "" if status < 0 else "Something in it has called os._exit, or closed what was not its own."
