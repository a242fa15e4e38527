"""The stress tool for stopping: a few rounds of it, and that it notices what it looks for."""

from __future__ import annotations

import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "stop_stress.py"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are found in /proc"
)


@pytest.fixture(scope="module")
def stress() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


def test_nothing_survives_a_few_random_ends() -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(TOOL),
            "--signals",
            "5",
            "--kills",
            "2",
            "--grace",
            "0.4",
            "--seed",
            str(time.time_ns()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "exit status 130: 5 of 5\n" in done.stdout
    assert "exit status -9: 2 of 2\n" in done.stdout
    assert done.stdout.count("rounds with a process left: 0\n") == 2


def test_a_marked_process_is_found_as_long_as_it_runs(stress: dict[str, Any]) -> None:
    process = subprocess.Popen(["sleep", "600"], env={stress["MARK"]: "found"})
    try:
        while not stress["marked"]("found"):
            assert process.poll() is None
        assert stress["marked"]("found") == {process.pid}
        assert stress["marked"]("foun") == set()
    finally:
        process.kill()
        # Before it is waited for as well: one that has ended does not run.
        while stress["runs"](process.pid):
            continue
        assert stress["marked"]("found") == set()
        process.wait()


def test_it_tells_how_rounds_ended(stress: dict[str, Any]) -> None:
    make = stress["Round"]
    rounds = [
        make("SIGINT", 130, 7, 0, 0.5, 0.6, True),
        make("SIGTERM", -15, 9, 2, 1.5, 2.5, False),
        make("SIGINT", 130, 8, 0, 0.7, 0.7, True),
    ]
    assert stress["told"](rounds, 130) == [
        "3 rounds (SIGINT 2, SIGTERM 1), 8 processes under milo in the median round",
        "  exit status 130: 2 of 3",
        "  rounds with a process left: 1",
        "  terminal changed: 1",
        "  signal to exit: median 0.70 s, longest 1.50 s",
        "  signal to the last process gone: median 0.70 s, longest 2.50 s",
    ]


def test_processes_that_stay_are_told_when_the_time_is_up(stress: dict[str, Any]) -> None:
    assert stress["last_ones"](lambda: {7}, time.monotonic() - 1) == {7}
    looks = iter([{7, 8}, {8}, set(), set()])
    assert stress["last_ones"](lambda: next(looks), time.monotonic() + 60) == set()
