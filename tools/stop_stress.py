"""Stops `milo run` at random moments, again and again, and looks for what is left; docs/stopping.md has the figures."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
MARK = "MILO_STRESS_MARK"
PATIENCE_S = 30.0
GUARD_GRACE_S = 1.0  # what the guard gives to the commands of a process that was killed
LOOK_AGAIN_S = 0.01

# Two trees of shells that ignore every polite signal, one of them inside a handler, and a chain of short commands, so
# that some are just being started whenever the end comes.
PIPELINE = """
print("loading", flush=True)
import milo

TREE = \"\"\"
trap '' TERM INT HUP
(trap '' TERM INT HUP; while :; do sleep 1000; done) &
(trap '' TERM INT HUP; sh -c "trap '' TERM INT HUP; while :; do sleep 1000; done") &
while :; do sleep 1000; done
\"\"\"

def inside():
    milo.sh(TREE)

def chain():
    while True:
        milo.sh("sleep 0.02 & sleep 0.01")

handlers = {"tree": milo.shell(TREE), "inside": inside, "chain": chain}
pipeline = milo.Pipeline("stress", *(milo.Phase(n, handler=h, parallel=True) for n, h in handlers.items()))
"""


@dataclass(frozen=True)
class Round:
    """How one run ended.

    Attributes:
        how: The signal, or what was typed.
        status: The exit status; negative is the number of the signal that ended the process.
        victims: How many processes it had when the end came.
        left: How many of them, and of its guards, were there when all should have been gone.
        exit_s: Seconds from the signal to the exit.
        gone_s: Seconds from the signal until no process was left.
        same_terminal: Whether the terminal's settings were as before, and its cursor shown.
        text: The last of what milo wrote.
    """

    how: str
    status: int
    victims: int
    left: int
    exit_s: float
    gone_s: float
    same_terminal: bool
    text: str = ""

    def is_good(self, status: int) -> bool:
        """Whether it ended with this status and left nothing."""
        return self.status == status and not self.left and self.same_terminal


def take_terminal() -> None:
    """Make stdin the controlling terminal, and answer signals that whoever started this may have ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """A pseudo-terminal with milo on it; whatever it writes is read, so that it never waits for a reader."""

    def __init__(self, folder: Path, mark: str, grace_s: float) -> None:
        self._master, self._slave = os.openpty()
        self.settings = termios.tcgetattr(self._slave)
        self._text = b""
        self._loading = threading.Event()
        env = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "milo",
                "run",
                "pipeline.py",
                "-j",
                "3",
                "--grace",
                str(grace_s),
                "--no-journal",
            ],
            cwd=folder,
            env={**env, "TERM": "xterm", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(SOURCE), MARK: mark},
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                self._text += os.read(self._master, 65536)
            except OSError:
                return
            if b"loading" in self._text:
                self._loading.set()

    def wait_loading(self) -> None:
        """Wait until the pipeline's file is being loaded: from there on every signal is milo's to answer."""
        if not self._loading.wait(PATIENCE_S):
            raise TimeoutError(f"milo has not loaded its pipeline: {self._text!r}")

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        os.write(self._master, b"\x03")

    def wait(self) -> int:
        """Wait for milo's end; the exit status. One that hangs is aborted, and shows where it hung."""
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            status = self.process.wait()
            time.sleep(1)  # until the reader has all that it wrote
            return status

    @property
    def text(self) -> str:
        """The last of what milo wrote."""
        return self._text[-2_000:].decode("utf-8", "replace")

    def is_as_before(self) -> bool:
        """Whether the settings are those of the beginning, and the cursor is shown."""
        until = time.monotonic() + 1.0  # for the reader to have all that was written
        while self._text.rfind(b"\x1b[?25h") < self._text.rfind(b"\x1b[?25l"):
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_AGAIN_S)
        return termios.tcgetattr(self._slave) == self.settings

    def close(self) -> None:
        os.close(self._slave)
        os.close(self._master)


def marked(mark: str) -> set[int]:
    """The processes that run and have the mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if wanted in (path / "environ").read_bytes().split(b"\0") and runs(int(path.name)):
                    found.add(int(path.name))
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
    return found


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def guards(pid: int) -> set[int]:
    """The guard processes of a milo process."""
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        # Threads and children end while they are looked at.
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                with contextlib.suppress(OSError):
                    if b"guard_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.add(int(child))
    return found


def one_round(how: str, delay_s: float, grace_s: float) -> Round:
    """Start milo, end it `delay_s` seconds after it has begun to load, and see what is left."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pipeline.py").write_text(PIPELINE)
        terminal = Terminal(Path(folder), mark, grace_s)
        process = terminal.process
        try:
            terminal.wait_loading()
            time.sleep(delay_s)
            victims, watched = len(marked(mark)) - 1, guards(process.pid)
            began = time.monotonic()
            if how == "Ctrl-C":
                terminal.interrupt()
            else:
                process.send_signal(getattr(signal, how))
            status = terminal.wait()
            exit_s = time.monotonic() - began
            until = began + (GUARD_GRACE_S if how == "SIGKILL" else grace_s) + 1.0
            left = last_ones(lambda: marked(mark) | {pid for pid in watched if runs(pid)}, until)
            gone_s = time.monotonic() - began
            # What was killed cannot tidy up after itself.
            same = how == "SIGKILL" or terminal.is_as_before()
        finally:
            process.kill()
            process.wait()
            for pid in marked(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            terminal.close()
    return Round(how, status, victims, len(left), exit_s, gone_s, same, terminal.text)


def last_ones(processes: Callable[[], set[int]], until: float) -> set[int]:
    """Wait until there are no processes; those that are there at the end of the time."""
    while left := processes():
        if time.monotonic() > until:
            break
        time.sleep(LOOK_AGAIN_S)
    # Twice: a process that is just becoming another program shows no environment for a moment.
    return left or processes()


def told(rounds: list[Round], status: int) -> list[str]:
    """Say in a few lines how rounds ended; `status` is the exit status that all should have."""
    ways = ", ".join(
        f"{how} {sum(each.how == how for each in rounds)}" for how in sorted({r.how for r in rounds})
    )
    victims = statistics.median(each.victims for each in rounds)
    exits, gone = [r.exit_s for r in rounds], [r.gone_s for r in rounds]
    return [
        f"{len(rounds)} rounds ({ways}), {victims:.0f} processes under milo in the median round",
        f"  exit status {status}: {sum(each.status == status for each in rounds)} of {len(rounds)}",
        f"  rounds with a process left: {sum(each.left > 0 for each in rounds)}",
        f"  terminal changed: {sum(not each.same_terminal for each in rounds)}",
        f"  signal to exit: median {statistics.median(exits):.2f} s, longest {max(exits):.2f} s",
        f"  signal to the last process gone: median {statistics.median(gone):.2f} s, longest {max(gone):.2f} s",
    ]


def main(arguments: list[str]) -> int:
    """Run the rounds and tell; the exit status is 1 when anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--signals", type=int, default=500, help="rounds that end with SIGINT, SIGTERM or Ctrl-C"
    )
    parser.add_argument("--kills", type=int, default=100, help="rounds that end with kill -9")
    parser.add_argument("--grace", type=float, default=0.5, help="what milo grants, in seconds")
    parser.add_argument(
        "--latest", type=float, default=0.8, help="seconds after the load in which the end comes"
    )
    parser.add_argument("--jobs", type=int, default=2, help="rounds at once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    ways = [chance.choice(["SIGINT", "SIGTERM", "Ctrl-C"]) for _ in range(options.signals)]
    plan = [
        (how, chance.uniform(0.0, options.latest), options.grace)
        for how in ways + ["SIGKILL"] * options.kills
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        rounds = list(pool.map(lambda each: one_round(*each), plan))
    good = True
    for status, some in ((130, rounds[: options.signals]), (-signal.SIGKILL, rounds[options.signals :])):
        if some:
            print("\n".join(told(some, status)))
        for each in some:
            if not each.is_good(status):
                good = False
                print(f"{each}\n{each.text}", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
