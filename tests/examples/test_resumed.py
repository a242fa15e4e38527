"""The example of a build that is killed and goes on: a part of `make demo`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "resumed.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_build_keeps_what_was_done(tmp_path: Path) -> None:
    pytest.importorskip("markdown_it")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    before, after = done.stdout.split("kill -9\n")
    assert "done   health" in before
    assert "done   upload" not in before
    assert "resumed: 6 of 7 phases kept, nothing to unlock" in after
    assert "it was running" in after
    resumed = after.split("--resume")[1]
    assert [line.split()[1] for line in resumed.splitlines() if line.startswith("start ")] == ["upload"]
    assert list(tmp_path.iterdir()) == []
