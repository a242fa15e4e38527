"""A worker process of a run's own by itself. What it does for a run is in test_local.py."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from milo.execution.program import start_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


def test_a_process_whose_run_has_ended_before_it_was_there_ends() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = start_process(
            "milo.execution.dask.process", theirs.fileno(), stdout=None, stderr=subprocess.PIPE
        )
    ours.close()
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
