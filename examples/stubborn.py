"""Shells that do not want to end, and a Ctrl-C: `python examples/stubborn.py` shows what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from milo import Phase, Pipeline, shell

MARK = "STUBBORN_MARK"
SHELLS = ("compile", "serve", "watch")

# Ignores the polite signals, and starts children and grandchildren that ignore them as well.
TREE = """
trap '' TERM INT HUP
(trap '' TERM INT HUP; while :; do sleep 100; done) &
(trap '' TERM INT HUP; sh -c "trap '' TERM INT HUP; while :; do sleep 100; done") &
echo "I do not listen to anybody"
while :; do sleep 100; done
"""
AT_LEAST = 3 * 5  # how many processes that are, sleeps included, when all stand; some shells make one more

pipeline = Pipeline("stubborn", *(Phase(name, shell(TREE), parallel=True) for name in SHELLS))


def marked(mark: str) -> int:
    """How many processes have the mark in their environment, milo itself not counted."""
    wanted = f"{MARK}={mark}"
    if not os.path.isdir("/proc/self"):
        listed = subprocess.run(["ps", "-axww", "-E", "-o", "command="], capture_output=True, text=True)
        return sum(wanted in line and "milo run" not in line for line in listed.stdout.splitlines())
    found = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            marked = wanted.encode() in (path / "environ").read_bytes()
            found += marked and b"milo\0run" not in (path / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
    return found


def wait_until(is_so: Callable[[int], bool], mark: str, within_s: float) -> int:
    """Wait until the number of marked processes is as it should be; returns how many there are."""
    until = time.monotonic() + within_s
    while not is_so(found := marked(mark)) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def main() -> int:
    """Run the pipeline, press Ctrl-C, and count; the exit status is 0 when nothing is left."""
    print(
        "\nThree trees of shells that ignore SIGTERM, SIGINT and SIGHUP. In a second comes a Ctrl-C.\n",
        flush=True,
    )
    mark = uuid.uuid4().hex
    # Whoever started this in the background has it ignore Ctrl-C, and what it starts as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    milo = subprocess.Popen(
        [sys.executable, "-m", "milo", "run", __file__, "--jobs", "3", "--grace", "1", "--no-journal"],
        env={**os.environ, MARK: mark},
    )
    try:
        wait_until(lambda found: found >= AT_LEAST, mark, within_s=10.0)
        time.sleep(1.0)  # for whoever watches
        before = marked(mark)
        milo.send_signal(signal.SIGINT)
        asked = time.monotonic()
        status = milo.wait(30)
        took_s = time.monotonic() - asked
        left = wait_until(lambda found: not found, mark, within_s=1.0)
    finally:
        milo.kill()
        milo.wait()
    print(
        f"\n{before} processes before the Ctrl-C. milo ended {took_s:.1f} s after it, with status {status}."
    )
    print(f"{left} processes left")
    return 0 if before >= AT_LEAST and not left and status == 130 else 1


if __name__ == "__main__":
    sys.exit(main())
