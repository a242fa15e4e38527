"""The logger: loaded by what there is to report, and by nothing before."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from milo.log import log


def test_it_is_the_logger_named_milo(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("it went %s", "wrong")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("milo", logging.WARNING, "it went wrong")
    ]


def test_logging_is_loaded_only_when_there_is_something_to_report() -> None:
    program = """if True:
        import sys
        from milo.log import log
        print("logging" in sys.modules)
        log.error("no")
        print("logging" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "no\n")
