"""The stress tool for resuming: a few kills of it, and that it notices what it looks for."""

from __future__ import annotations

import random
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "kill_stress.py"


@pytest.fixture(scope="module")
def stress() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


def test_a_few_kills_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(TOOL), "--kills", "8", "--seed", str(time.time_ns())],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert (
        "Durable completions that ran again: 0. Results lost or changed: 0. Locks to remove: 0."
        in done.stdout
    )


def test_it_kills_at_the_point_that_it_names(stress: dict[str, Any], tmp_path: Path) -> None:
    story = stress["Story"](tmp_path, random.Random(1), 0.0)
    story.tell("head committed")
    assert story.kills == {"head committed": 1}


def test_it_notices_a_durable_phase_that_runs_again(stress: dict[str, Any], tmp_path: Path) -> None:
    story = stress["Story"](tmp_path, random.Random(1), 0.0)
    story._durable = {"b"}
    (tmp_path / "ran").write_text("abb")
    with pytest.raises(stress["BrokenError"], match=r"\['b'\] ran again, although durable"):
        story._check(-9, set(), 2)


def test_it_notices_a_completion_that_was_told_of_and_is_lost(stress: dict[str, Any], tmp_path: Path) -> None:
    story = stress["Story"](tmp_path, random.Random(1), 0.0)
    with pytest.raises(stress["BrokenError"], match=r"\['a'\] had been durable or told of, and are lost"):
        story._check(-9, {"a"}, 0)


def test_a_line_that_was_cut_off_tells_nothing(stress: dict[str, Any]) -> None:
    line = '{"type": "@@PHASE_COMPLETE", "payload": {"name": "a"}}'
    assert stress["_completions"](f"{line}\n{line[:30]}") == {"a"}
    assert stress["_completions"](line) == set()
