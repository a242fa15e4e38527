"""The worker's end by itself. What it does for a run is in test_processes.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from milo.execution.placement import WorkerError
from milo.execution.processes.link import Link
from milo.execution.processes.worker import NUMBER, OUTCOME, Worker
from milo.execution.remote import Errand, RemoteHost, opened_outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    """The run's end of a link, and the worker's."""
    (first_reads, second_writes), (second_reads, first_writes) = os.pipe(), os.pipe()
    first, second = Link(first_reads, first_writes), Link(second_reads, second_writes)
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


@pytest.mark.parametrize(("told", "ends_it"), [([1], False), ([3], False), ([1, 2], True)])
def test_a_cancellation_ends_the_attempt_it_is_meant_for_and_no_other(
    ends: tuple[Link, Link], told: list[int], ends_it: bool
) -> None:
    worker = Worker(ends[1])
    job = RemoteHost().run(Errand("a", 1, "run", False, 1.0, int, (), {}), worker)
    worker._current = (2, job)
    reading, writing = os.pipe()
    os.write(writing, b"".join(map(NUMBER.pack, told)))
    os.close(writing)
    worker._listen(reading)
    os.close(reading)
    assert job.cancelled == ends_it
