"""Runs phases on two Dask worker processes while one is killed every second, and accounts for every attempt."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import milo
from milo import Phase, PhasePolicy, Pipeline, RunResult, current_phase


def work(notes: str) -> str:
    """Notes that it begins and that it ends; in between is where it may be killed."""
    phase = current_phase()
    _note(notes, f"begun {phase.name} {phase.attempt} {os.getpid()}")
    time.sleep(random.Random(phase.name).uniform(0.05, 0.35))
    _note(notes, f"ended {phase.name} {phase.attempt} {os.getpid()}")
    return f"result of {phase.name}"


def _note(notes: str, line: str) -> None:
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def main() -> int:
    """Run it once; returns 1 if something was lost or done twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phases", type=int, default=200)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--executor", default="dask", help="dask, or dask:ADDRESS of workers of this machine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        notes.touch()
        over = threading.Event()
        kills: list[int] = []
        killer = threading.Thread(target=_kill, args=(notes, options.every, over, kills))
        killer.start()
        before = time.monotonic()
        result = milo.run(_pipeline(options.phases, str(notes)), executor=options.executor, max_workers=2)
        took_s = time.monotonic() - before
        over.set()
        killer.join()
        return _account(result, notes, took_s, len(kills))


def _pipeline(phases: int, notes: str) -> Pipeline:
    policy = PhasePolicy("retry", 50, 0.0)
    handler = partial(work, notes)
    names = [f"p{number}" for number in range(phases)]
    return Pipeline("stress", *(Phase(name, handler, parallel=True, policy=policy) for name in names))


def _kill(notes: Path, every_s: float, over: threading.Event, kills: list[int]) -> None:
    while not over.wait(every_s):
        # The process that has begun something last.
        for line in reversed(notes.read_text().splitlines()):
            pid = int(line.split()[3])
            if pid not in kills:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills.append(pid)
                break


def _account(result: RunResult, notes: Path, took_s: float, kills: int) -> int:
    begun: Counter[tuple[str, int]] = Counter()
    ended: Counter[tuple[str, int]] = Counter()
    for line in notes.read_text().splitlines():
        what, name, attempt, _ = line.split()
        (begun if what == "begun" else ended)[name, int(attempt)] += 1
    last = {phase.name: phase.attempt for phase in result.state.phases}
    twice = [key for key, times in begun.items() if times > 1]
    after = [key for key in begun if key[1] > last[key[0]]]
    right = result.results == {name: f"result of {name}" for name in last}
    unheard = sum(key[1] < last[key[0]] for key in ended)
    print(
        f"{result.state.status}: {len(last)} phases in {took_s:.1f} s, {kills} kills, {sum(begun.values())} attempts; "
        f"results {'all right' if right else 'WRONG'}; {len(twice)} attempts begun twice, "
        f"{len(after)} begun after their phase was done, {unheard} had ended when their worker was killed "
        "before it could say so"
    )
    return int(not result.ok or not right or bool(twice or after))


if __name__ == "__main__":
    sys.exit(main())
