"""The tool that kills Dask workers: short here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "dask_stress.py"


@pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")
def test_every_phase_completes_and_none_is_done_twice() -> None:
    done = subprocess.run(
        [sys.executable, TOOL, "--phases", "20", "--every", "0.7"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "completed: 20 phases" in done.stdout
    assert "results all right; 0 attempts begun twice, 0 begun after their phase was done" in done.stdout
