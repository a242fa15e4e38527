"""A pipeline of three phases in a row for tests of recording: it notes what runs, and fails or waits when asked to."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from milo.journal import Follower

PIPELINE = """
import os
import time
from pathlib import Path

from milo import Phase, Pipeline

HERE = Path(__file__).parent


def work(name):
    with (HERE / "ran").open("a") as ran:
        ran.write(name)
    print(f"{name} is at work")
    if (HERE / f"break-{name}").exists():
        raise ValueError(f"{name} is broken")
    while (HERE / f"hold-{name}").exists():
        time.sleep(0.01)


def a():
    work("a")
    return [1]


def b(a):
    work("b")
    return [*a, 2]


def c(b):
    work("c")
    (HERE / "result").write_text(repr(b))


def pipeline(tone: str = "low") -> Pipeline:
    (HERE / "tone").write_text(tone)
    return Pipeline(
        "steps", Phase("a", a), Phase("b", b, depends_on=("a",)), Phase("c", c, depends_on=("b",))
    )
"""
PATIENCE_S = 30.0


class Recorded:
    """The pipeline in a folder of its own, and milo to run it.

    Args:
        cli: Runs milo there.
    """

    def __init__(self, cli: Any) -> None:
        self.cli = cli
        self.folder: Path = cli.folder
        self.journal = self.folder / ".milo" / "runs.db"
        cli.write(PIPELINE)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`milo run` with these arguments."""
        done: subprocess.CompletedProcess[str] = self.cli.run("run", *arguments, **env)
        return done

    def fail(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A run in which one phase fails."""
        (self.folder / f"break-{name}").touch()
        try:
            return self.run(*arguments)
        finally:
            (self.folder / f"break-{name}").unlink()

    def start_and_hold(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
        """A run that stops in one phase until `let_go`."""
        (self.folder / f"hold-{name}").touch()
        process: subprocess.Popen[Any] = self.cli.start(
            "run", *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
        )
        deadline = time.monotonic() + PATIENCE_S
        while not self.ran().endswith(name):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        return process

    def let_go(self, name: str) -> None:
        (self.folder / f"hold-{name}").unlink()

    def kill_in(self, name: str, *arguments: str) -> None:
        """A run whose process dies of SIGKILL while a phase runs."""
        process = self.start_and_hold(name, *arguments)
        self.wait_recorded(name)
        process.kill()
        process.wait()
        self.let_go(name)

    def wait_recorded(self, name: str) -> None:
        """Wait until the journal knows that a phase runs: the run does not wait for that."""
        if not self.journal.exists():
            return
        deadline = time.monotonic() + PATIENCE_S
        with Follower(self.journal) as follower:
            follower.poll()
            while name not in follower.state.names or follower.state.phase(name).status != "running":
                assert time.monotonic() < deadline
                time.sleep(0.01)
                follower.poll()

    def change(self, old: str, new: str) -> None:
        """Change the pipeline's file."""
        file = self.folder / "pipeline.py"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        # Its bytecode is known by a time in seconds and the size.
        os.utime(file, (time.time() + 10, time.time() + 10))

    def ran(self) -> str:
        """Which phases have run, in order, since it was asked with `forget`."""
        file = self.folder / "ran"
        return file.read_text() if file.exists() else ""

    def forget(self) -> None:
        (self.folder / "ran").unlink(missing_ok=True)
