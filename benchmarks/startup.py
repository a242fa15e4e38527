"""Prints how long milo takes to start, over what the interpreter takes by itself: the best of some starts each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTS = 15


def main() -> int:
    """Measure three starts."""
    milo = [sys.executable, "-m", "milo"]
    bare = _best([sys.executable, "-c", "pass"])
    imported = _best([sys.executable, "-c", "from milo import Pipeline, Phase, run"])
    helped = _best([*milo, "--help"])
    empty = _best([*milo, "run", "--plain"])
    print(
        f"a bare interpreter {bare:.0f} ms; from milo import Pipeline, Phase, run: {imported - bare:.0f} ms more"
    )
    print(
        f"milo --help {helped:.0f} ms; an empty pipeline through milo run --plain, recorded, {empty:.0f} ms"
    )
    return 0


def _best(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pipeline.py").write_text(
            "from milo import Pipeline\npipeline = Pipeline('empty')\n", "utf-8"
        )
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        times = []
        for _ in range(STARTS):
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - start)
    return min(times) * 1000


if __name__ == "__main__":
    sys.exit(main())
