"""Kills a process that records a run, again and again, and looks whether anything durable is lost.

    python -m tests.journal.crashes [KILLS] [SEED]

kills KILLS processes (1,000 unless told otherwise) with SIGKILL: at each named point inside the writer in turn, and at
random moments. After each kill the run is resumed, which may be killed too, until it completes. It prints figures, and
fails if a phase whose completion was durable ran again, if a result came back other than it was, or if something had
to be unlocked.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from milo.journal import faults
from milo.journal.declared import declare
from milo.journal.history import history
from milo.journal.journal import Journal
from milo.journal.location import locks_folder
from tests.journal.world import (
    about,
    complete,
    completed,
    pipeline_of,
    printed,
    replayed,
    start,
    started,
    state_of,
)

NAMES = tuple(f"p{number}" for number in range(6))
PIPELINE = pipeline_of(*NAMES, max_logs=2)
RECOVERY_POINTS = frozenset({"copy recovered", "damaged set aside", "copy in place", "run deleted"})
RESUME_POINTS = frozenset({"tail cut off"})
POINTS = tuple(point for point in faults.POINTS if point not in RECOVERY_POINTS)
LOST, WRONG, AGAIN = 7, 8, 9


def result_of(name: str) -> Any:
    """Small for some phases, in a row of its own for others."""
    return {"name": name, "data": name * (500 if name in NAMES[::2] else 1)}


def note(file: Path, text: str) -> None:
    with file.open("a") as out:
        out.write(text + "\n")


def noted(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def work(folder: Path) -> int:
    """Run what is left to run, as a process that may die at any moment; its exit status."""
    path, durable, ran = folder / "runs.db", folder / "durable", folder / "ran"
    journal = Journal(path)
    info = journal.unfinished("p", "")
    actions = [start(resumed=info is not None)]
    if info is None and history(path):
        return 0  # it had completed, and died at the very end
    if info is None:
        recorder, done, state = journal.begin("r1", about(PIPELINE), declare(PIPELINE)), {}, None
    else:
        taken = journal.take(info.row.name)
        planned, done = taken.plan(declare(PIPELINE))
        actions[0].payload["again"] = planned.again
        state = taken.recorded.state
        recorder = taken.go_on(about(PIPELINE, resumed=True), declare(PIPELINE))
    if not set(noted(durable)) <= set(done):
        return LOST
    if any(value != result_of(name) for name, value in done.items()):
        return WRONG
    recorder.record(actions)
    for name in [name for name in NAMES if name not in done]:
        if name in noted(durable):
            return AGAIN
        note(ran, name)
        for batch in (
            [started(name), printed(name, "one"), printed(name, "two")],
            [printed(name, str(number)) for number in range(5)],
            [completed(name, result_of(name))],
        ):
            actions += batch
            recorder.record(batch)
        note(durable, name)
    actions.append(complete())
    recorder.record(actions[-1:])
    recorder.finish(state_of(PIPELINE, actions, state))
    recorder.close()
    return 0


def forked(folder: Path, hook: Callable[[str], None] | None) -> int:
    """A process of its own that works; its id."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        faults.set_hook(hook)
        status = work(folder)
    finally:
        os._exit(status)


def die_at(point: str, count: int) -> Callable[[str], None]:
    """A hook that dies when `point` is reached for the `count`th time."""
    left = [count]

    def hook(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def story(folder: Path, choose: random.Random, point: str | None, kills: Counter[str]) -> None:
    """One run from its beginning to its completion, however often it is killed on the way."""
    for attempt in range(8):
        hook, delay_s = None, None
        if attempt < 7 and (attempt == 0 or point in RESUME_POINTS or choose.random() < 0.5):
            if point in RESUME_POINTS and attempt == 0:
                hook = die_at("before commit", choose.randrange(1, 9))
            elif point is not None:
                hook = die_at(point, choose.choice((1, 1, 2, 3, 9)))
            else:
                delay_s = choose.uniform(0.0, 0.03)
        child = forked(folder, hook)
        if delay_s is not None:
            time.sleep(delay_s)
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == -signal.SIGKILL:
            kills[point or "a random moment"] += 1
        elif status == 0:
            check(folder)
            return
        else:
            raise AssertionError(f"{point}: the process ended with {status}; {folder} is left as it was")
    raise AssertionError(f"{point}: the run did not complete; {folder} is left as it was")


def check(folder: Path) -> None:
    """Whether the run is whole."""
    path = folder / "runs.db"
    recorded, rows = replayed(path)
    assert recorded.state.status == "completed", recorded.state
    assert not rows.damage, rows.damage
    assert rows.lost_lines == 0
    assert all(recorded.verdicts), recorded.verdicts
    assert set(recorded.completions) == set(NAMES)
    assert history(path)[0].status == "completed"
    ran = Counter(noted(folder / "ran"))
    assert set(ran) == set(NAMES)
    assert not [file for file in locks_folder(path).iterdir() if holder(file)]


def holder(file: Path) -> bool:
    from milo.journal.lock import is_locked

    return is_locked(file)


def main(kills_wanted: int, seed: int) -> None:
    choose = random.Random(seed)
    kills: Counter[str] = Counter()
    runs = 0
    began = time.monotonic()
    while kills.total() < kills_wanted:
        folder = Path(tempfile.mkdtemp(prefix="milo-crashes-"))
        story(folder, choose, POINTS[runs // 2 % len(POINTS)] if runs % 2 else None, kills)
        shutil.rmtree(folder)
        runs += 1
    print(f"{kills.total()} kills in {runs} runs, {time.monotonic() - began:.0f} s, seed {seed}")
    for point, count in kills.most_common():
        print(f"{count:6}  {point}")
    print("No durable completion ran again, no result was lost or changed, nothing had to be unlocked.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
