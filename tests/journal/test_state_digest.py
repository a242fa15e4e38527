"""Equal states have equal digests, and anything that can be seen of a state changes its digest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from milo import PipelineState
from milo.journal.state_digest import state_digest
from milo.pipeline import PhaseLog, PhaseStatus

PHASE = {"name": "a", "status": "failed", "started_at": 1.0, "elapsed": 2.0, "error": "e", "attempt": 2}
RUN = {
    "name": "p",
    "current_phase": "a",
    "started_at": 1.0,
    "elapsed": 3.0,
    "progress": 0.5,
    "status": "failed",
}


def state(
    run: dict[str, Any] | None = None, phase: dict[str, Any] | None = None, line: str = "x"
) -> PipelineState:
    logs = (PhaseLog(line, "stderr", 1.5),)
    phases = (PhaseStatus(**{**PHASE, **(phase or {})}, logs=logs), PhaseStatus("b"))
    return PipelineState(**{**RUN, **(run or {})}, phases=phases)


def test_equal_states() -> None:
    """States that are equal have one digest."""
    assert state_digest(state()) == state_digest(state())


@pytest.mark.parametrize("field", list(RUN))
def test_run(field: str) -> None:
    """Each field of the run counts."""
    other = "other" if isinstance(RUN[field], str) else 7.5
    assert state_digest(state({field: other})) != state_digest(state())


@pytest.mark.parametrize("field", list(PHASE))
def test_phase(field: str) -> None:
    """Each field of a phase counts."""
    other = "other" if isinstance(PHASE[field], str) else 7
    assert state_digest(state(phase={field: other})) != state_digest(state())


def test_logs() -> None:
    """Log lines count."""
    assert state_digest(state(line="y")) != state_digest(state())


def test_values_that_milo_does_not_use() -> None:
    """A state built by hand with odd values has a digest all the same."""
    assert state_digest(state(phase={"elapsed": "long"})) != state_digest(state(phase={"elapsed": "longer"}))
    assert state_digest(state(phase={"attempt": object()}))


def test_same_in_every_process() -> None:
    """Another process finds the same digest."""
    program = (
        "from tests.journal.test_state_digest import state, state_digest\nprint(state_digest(state()).hex())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == state_digest(state()).hex()
