"""The worker's end of the pipe by itself. What it does for a run is in test_processes.py."""

from __future__ import annotations

import socket
import sys
from multiprocessing.connection import Connection

import pytest

from milo.execution.placement import WorkerError
from milo.execution.process_worker import ERRAND, OUTCOME, Worker
from milo.execution.remote import RemoteHost, opened_outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


def test_an_attempt_that_cannot_be_loaded_is_told_with_the_reason() -> None:
    ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
    with ours, theirs:
        Worker(theirs)._run(RemoteHost(), ERRAND + b"cnowhere\nhandler\n.")
        message = ours.recv_bytes()
    assert message[:1] == OUTCOME
    with pytest.raises(WorkerError, match="cannot be loaded in its worker process: ModuleNotFoundError"):
        opened_outcome("a", message[1:])
