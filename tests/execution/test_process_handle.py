"""A worker process that has to be ended, or ends when it should not."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from milo import Phase
from milo.execution import program

from . import elsewhere
from .processes import Mark, eventually, needs_proc
from .test_processes import SKIP, lines, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


@needs_proc
@pytest.mark.parametrize("handler", [elsewhere.busy, elsewhere.runs_a_command])
def test_a_process_is_ended_at_its_limit_with_all_that_it_has_started(
    handler: Callable[[], None], mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mark.env.items():
        monkeypatch.setenv(name, value)
    result = run(
        Phase("a", handler, timeout=0.5, policy=SKIP, parallel=True),
        Phase("b", elsewhere.pid, parallel=True),
        grace=0.5,
    )
    assert result.ok
    assert "timed out after 0.5 s" in result.state.phase("a").error
    assert eventually(mark.gone)


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (elsewhere.killed, "was ended by SIGKILL before the phase was done. Somebody has killed it"),
        (elsewhere.exits, "exited with status 3 before the phase was done."),
        (elsewhere.segfaults, "was ended by SIGSEGV before the phase was done."),
    ],
)
def test_a_worker_that_dies_fails_its_own_phase_alone(handler: Callable[[], None], told: str) -> None:
    result = run(
        Phase("dies", handler, policy=SKIP, parallel=True),
        *(Phase(f"n{number}", elsewhere.pid, parallel=True) for number in range(20)),
        max_workers=3,
    )
    assert result.ok
    assert told in result.state.phase("dies").error
    assert len(result.results) == 20


def test_last_words_arrive() -> None:
    assert lines(run(Phase("a", elsewhere.killed, policy=SKIP)), "a") == ["last words"]


def test_a_worker_that_cannot_be_started_fails_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    result = run(Phase("a", elsewhere.pid))
    assert "A worker process cannot be started: No such file" in result.state.phase("a").error


def test_a_worker_that_ends_before_it_is_ready_fails_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_START", "import sys; sys.exit('no milo here')")
    result = run(Phase("a", elsewhere.pid))
    error = result.state.phase("a").error
    assert "A worker process did not start: it exited with status 1. It wrote: no milo here" in error
