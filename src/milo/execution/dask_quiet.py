"""Quiet: Dask's own log kept from the terminal while runs use it: what matters of it milo tells."""

from __future__ import annotations

import logging
import threading

__all__ = ["louden", "quieten"]

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
