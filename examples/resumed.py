"""A build that is killed in the middle and goes on: `python examples/resumed.py` shows what is run again, and why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from milo import Phase, Pipeline

SITE = Path(__file__).resolve().parent / "site"
sys.path.insert(0, str(SITE))


def upload() -> str:
    """Stands for what takes long and talks to somebody else."""
    seconds = float(os.environ.get("UPLOAD_S", "0.2"))
    print(f"uploading, {seconds:g} s")
    time.sleep(seconds)
    return "uploaded"


def pipeline(output: Path) -> Pipeline:
    """The site build of `site/build.py`, and an upload after it."""
    from build import pipeline as site

    return site(output=output) >> Phase("upload", upload, depends_on=("health",))


def milo(*words: str, upload_s: str = "0.2") -> subprocess.Popen[str]:
    """Start the command."""
    command = [sys.executable, "-m", "milo", *words]
    env = {**os.environ, "UPLOAD_S": upload_s}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def show(words: tuple[str, ...]) -> int:
    """Run a command and print what it says, with the command before it; returns its status."""
    shown = (word for word in words if not word.startswith("/"))
    print(f"\n$ milo {' '.join(shown)}", flush=True)
    with milo(*words) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
    return process.returncode


def main() -> int:
    """Kill the build while it uploads, ask what going on would do, and go on."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MILO_JOURNAL"] = str(Path(folder) / "runs.db")
        target = (str(Path(__file__).resolve()), "-p", f"output={folder}/site")
        print("\n$ milo run", flush=True)
        with milo("run", *target, "--plain", upload_s="600") as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if line.startswith("upload |"):
                    break
            os.kill(process.pid, signal.SIGKILL)
        print("kill -9", flush=True)
        show(("explain", target[0]))
        return show(("run", target[0], "--resume", "--plain"))


if __name__ == "__main__":
    sys.exit(main())
