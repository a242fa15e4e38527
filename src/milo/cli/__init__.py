"""The command line: target and options in, a run with its views, an exit status out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from milo.cli.signals import INTERRUPTED, ProcessSignals

__all__ = ["entry", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line inside a program, whose signals stay as they are.

    Args:
        argv: The arguments after the program's name; the process's own when None.

    Returns:
        The exit status: 0 completed, 1 failed, 2 wrong usage or nothing that could be loaded,
        130 interrupted.
    """
    from milo.cli.app import Invocation, call

    return call(argv, Invocation())


def entry() -> NoReturn:
    """Be the process `milo`: with its signals handled from before the first import that takes time."""
    signals = ProcessSignals()
    try:
        signals.install()
        from milo.cli.app import Invocation, call

        invocation = Invocation(signals=signals)
        status = call(None, invocation)
        signals.let_go()
    except KeyboardInterrupt:
        signals.let_go()
        os._exit(INTERRUPTED)
    if invocation.left_behind:
        _leave_threads(status)
    sys.exit(status)


def _leave_threads(status: int) -> NoReturn:
    """End the process although handlers still run: what they have started must not keep it waiting."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more.
            continue
    os._exit(status)
