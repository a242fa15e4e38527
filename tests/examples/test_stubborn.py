"""The example of stubborn shells: what `make demo` ends with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "stubborn.py"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are counted in /proc")
def test_no_process_is_left_after_the_ctrl_c(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "stop   waiting up to 1.0 s for compile, serve, watch" in done.stdout
    counted = re.search(r"(\d+) processes before the Ctrl-C", done.stdout)
    assert counted is not None
    assert int(counted[1]) >= 15
    assert done.stdout.endswith("\n0 processes left\n")
    assert list(tmp_path.iterdir()) == []
