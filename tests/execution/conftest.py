"""Marks that find every process a test has started, and groups that end with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from milo.execution.groups import ProcessGroups, current_groups
from tests.execution.watching import FakeAttempt, Mark


@pytest.fixture
def mark() -> Mark:
    """A new mark."""
    return Mark()


@pytest.fixture
def attempt() -> FakeAttempt:
    """An attempt of a phase."""
    return FakeAttempt()


@pytest.fixture
def groups() -> Iterator[ProcessGroups]:
    """Where the test's commands are registered; whatever is left is killed."""
    groups = ProcessGroups()
    token = current_groups.set(groups)
    yield groups
    current_groups.reset(token)
    groups.close(0)


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What to give as executor for a Dask cluster of somebody else's: two workers with one thread each."""
    from tests.execution.dask.on_dask import scheduler, workers

    folder = tmp_path_factory.mktemp("dask")
    with scheduler() as (_, address), workers(address, folder, "--nthreads", 1, "--nworkers", 2):
        yield f"dask:{address}"
