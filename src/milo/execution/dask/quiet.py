"""Quiet: Dask's own log kept apart: from the terminal while runs use it, and on workers from what attempts write."""

from __future__ import annotations

import logging
import os
import sys
import threading

__all__ = ["keep_own_log", "louden", "quieten"]

_lock = threading.Lock()  # guards what follows
_users = 0
_levels: dict[str, int] = {}


def quieten() -> None:
    """Let nothing of it through until `louden` was called as often."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for name in _names():
                logger = logging.getLogger(name)
                _levels[name] = logger.level
                logger.setLevel(logging.CRITICAL + 1)


def louden() -> None:
    """Take a `quieten` back."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            for name, level in _levels.items():
                logging.getLogger(name).setLevel(level)
            _levels.clear()


def _names() -> list[str]:
    """Those loggers of Dask's that have a level of their own, and the one above all."""
    made = logging.Logger.manager.loggerDict.items()
    names = {"distributed"} | {
        name
        for name, logger in made
        if name.startswith("distributed.") and isinstance(logger, logging.Logger) and logger.level
    }
    return sorted(names)


def keep_own_log() -> None:
    """Let what Dask logs go on to where it goes: to the attempt that runs meanwhile it does not belong."""
    own = None
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if not isinstance(logger, logging.Logger) or name.partition(".")[0] not in ("distributed", "tornado"):
            continue
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.__stderr__):
                if own is None:
                    own = open(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1)  # noqa: SIM115
                handler.setStream(own)
