"""The process's own standard streams, whatever it was started with."""

from __future__ import annotations

import os
import sys

from milo.errors import MiloError

__all__ = ["OutputError", "fill_closed_streams"]


class OutputError(MiloError):
    """What was to be written to stdout could not be, and somebody may be there who waits for it.

    Args:
        error: Why.
    """

    code = "output"

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The output cannot be written: {error.strerror or error}.")


def fill_closed_streams() -> None:
    """Give a process that was started with a standard stream closed (``>&-``) a null one in its place.

    Otherwise the next file that is opened would get its descriptor, and be written to by everything that prints.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
