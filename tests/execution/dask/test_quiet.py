"""Dask's own log while runs use it."""

from __future__ import annotations

import logging

import distributed  # noqa: F401 - gives its loggers their levels

from milo.execution.dask.quiet import louden, quieten


def test_nothing_is_logged_until_the_last_run_has_ended() -> None:
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.core")]
    before = [logger.isEnabledFor(logging.WARNING) for logger in loggers]
    quieten()
    quieten()
    louden()
    assert not any(logger.isEnabledFor(logging.CRITICAL) for logger in loggers)
    louden()
    assert [logger.isEnabledFor(logging.WARNING) for logger in loggers] == before == [True] * 3
