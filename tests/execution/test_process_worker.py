"""The worker's end by itself. What it does for a run is in test_processes.py."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from milo import current_phase
from milo.execution.link import Link
from milo.execution.placement import WorkerError
from milo.execution.process_worker import ERRAND, HEEDS, NUMBER, OUTCOME, READY, TOLD, Worker
from milo.execution.program import program_here
from milo.execution.remote import RemoteHost, opened_outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    """The run's end of a link, and the worker's."""
    first, second = (Link(end) for end in socket.socketpair())
    yield first, second
    first.close()
    second.close()


def test_an_attempt_that_cannot_be_loaded_is_told_with_the_reason(ends: tuple[Link, Link]) -> None:
    ours, theirs = ends
    Worker(theirs)._run(RemoteHost(), b"cnowhere\nhandler\n.")
    kind, body = ours.receive()
    assert kind == OUTCOME
    with pytest.raises(WorkerError, match="cannot be loaded in its worker process: ModuleNotFoundError"):
        opened_outcome("a", body)


def waits_until_cancelled() -> str:
    ended = threading.Event()
    current_phase().on_cancel(ended.set)
    ended.wait(30)
    return "cancelled"


def test_a_cancellation_that_comes_too_late_is_not_taken_for_the_next_attempt(
    ends: tuple[Link, Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    ours, theirs = ends
    reading, writing = os.pipe()

    def serve() -> None:
        with suppress(EOFError, ConnectionError):
            Worker(theirs).serve()

    worker = threading.Thread(target=serve)
    worker.start()
    program = {**program_here("test"), "main": None}
    ours.send(TOLD, pickle.dumps({"mark": b"\0mark", "program": program, "cancels": reading}))
    assert ours.receive()[0] == READY
    errand = pickle.dumps(("a", 1, "run", False, 1.0, waits_until_cancelled, (), {}))
    for number in (1, 2):
        ours.send(ERRAND, errand)
        assert ours.receive()[0] == HEEDS
        # Of attempts that are over, or are still to come, and only then of the one that runs.
        os.write(writing, b"".join(NUMBER.pack(each) for each in (number - 1, number + 1)))
        os.write(writing, NUMBER.pack(number))
        kind, body = ours.receive()
        assert (kind, opened_outcome("a", body)) == (OUTCOME, "cancelled")
    ours.close()
    worker.join(30)
    assert not worker.is_alive()
    os.close(writing)
    for thread in threading.enumerate():
        if thread.name == "milo-listen":
            thread.join(30)
    os.close(reading)
