"""The command line: target and options in, a run with its views, an exit status out."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from milo.cli.signals import INTERRUPTED, ProcessSignals

__all__ = ["entry", "main"]

_LEAVE_S = 1.0


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
    # The interpreter remembers a KeyboardInterrupt that has passed through an exec() of text (a dataclass is made by
    # one) and would end with that signal, however it was handled.
    if invocation.left_behind or status == INTERRUPTED:
        _leave(status)
    sys.exit(status)


def _leave(status: int) -> NoReturn:
    """End the process whatever still runs: what handlers that were told to end have started must not keep it waiting.

    What was registered for the end of the process is called as ever, for a limited time.
    """
    last = threading.Timer(_LEAVE_S, os._exit, (status,))
    last.daemon = True
    with contextlib.suppress(RuntimeError):  # no more threads: it may take as long as it takes
        last.start()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more.
            continue
    os._exit(status)
