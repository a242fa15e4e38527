"""Kills `milo run` with SIGKILL, again and again, and resumes it until it is done; see docs/durable-runs.md.

    python tools/kill_stress.py --kills 1000

Half of the runs die at random moments, half at named points inside the writer of the journal. After each death the
journal is read, and it ends with status 1 as soon as a phase whose completion was durable or had been told of runs
again, a result comes back other than it was, or a run cannot be resumed at once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))

from milo.journal import Follower, history, load_result, open_reader  # noqa: E402
from milo.journal.faults import POINTS  # noqa: E402

AT_RECOVERY = frozenset({"copy recovered", "damaged set aside", "copy in place", "run deleted"})
RESUMING = "tail cut off"
NAMED = tuple(point for point in POINTS if point not in AT_RECOVERY)
PATIENCE_S = 60.0
MOST_DEATHS = 6  # of one run; then it may go on to its end

PIPELINE = """
import os
import signal
import time

from milo import Phase, Pipeline
from milo.journal import faults

NEEDS = {"a": "", "b": "a", "c": "a", "d": "b", "e": "bc", "f": "cde"}


def result_of(name):
    # Small for some phases, for others in a row of its own.
    return {"name": name, "data": [name] * (4000 if name in "bd" else 3)}


def work(name, needs):
    def handler(context):
        with open("ran", "a") as ran:
            ran.write(name)
        for need in needs:
            assert context[need] == result_of(need), need
        for number in range(3):
            print(name, number)
        time.sleep(0.005)
        return result_of(name)

    return handler


pipeline = Pipeline(
    "kills",
    *(Phase(name, work(name, needs), depends_on=tuple(needs), parallel=True) for name, needs in NEEDS.items()),
)


def die_at(point, times):
    left = [times]

    def hook(reached):
        if reached == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


if os.environ.get("KILL_POINT"):
    faults.set_hook(die_at(os.environ["KILL_POINT"], int(os.environ["KILL_TIMES"])))
"""
NAMES = frozenset("abcdef")


class BrokenError(Exception):
    """A promise that was not kept."""


class Story:
    """One run from its beginning to its completion, however often it is killed on the way.

    Args:
        folder: Its working directory, empty.
        choose: Where chance comes from.
        took_s: How long a run takes that nobody kills.

    Attributes:
        kills: How many deaths there were, by where.
        again: How many phases ran again that had been running at a death.
    """

    def __init__(self, folder: Path, choose: random.Random, took_s: float) -> None:
        self.kills: Counter[str] = Counter()
        self.again = 0
        self._folder = folder
        self._choose = choose
        self._took_s = took_s
        self._journal = folder / ".milo" / "runs.db"
        self._durable: set[str] = set()
        (folder / "pipeline.py").write_text(PIPELINE)

    def tell(self, point: str | None) -> None:
        """Live it: die at `point`, or at random moments when it is None, and go on."""
        for death in range(MOST_DEATHS + 1):
            arguments = ["--resume"] if self._may_be_resumed() else []
            before = len(self._ran())
            if death < MOST_DEATHS and (death < 2 or self._choose.random() < 0.5):
                # What happens only when a run goes on needs one that was begun.
                here = "before commit" if point == RESUMING and not arguments else point
                status, told = self._one(arguments, here)
            else:
                status, told = self._one(arguments, None, lives=True)
            self._check(status, told, before)
            if status == -signal.SIGKILL:
                self.kills[point or "a random moment"] += 1
            if self._durable == NAMES and self._newest() == "completed":
                self._check_end()
                return
        raise BrokenError("the run did not come to its end")

    def _one(self, arguments: list[str], point: str | None, *, lives: bool = False) -> tuple[int, set[str]]:
        """Run milo once; its exit status, and which completions it has told of."""
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        env = {key: value for key, value in env.items() if not key.startswith(("MILO_", "KILL_"))}
        if point is not None:
            env |= {"KILL_POINT": point, "KILL_TIMES": str(self._choose.choice((1, 1, 2, 3, 9)))}
        milo = subprocess.Popen(
            [sys.executable, "-m", "milo", "run", "--json", *arguments],
            cwd=self._folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Half of them while phases run, which is but a small part of the time after Python has started.
        delay_s = self._choose.uniform(self._choose.choice((0.0, 0.5)), 1.1) * self._took_s
        timer = threading.Timer(PATIENCE_S if lives or point is not None else delay_s, milo.kill)
        timer.start()
        try:
            out, errors = milo.communicate()
        finally:
            timer.cancel()
        if milo.returncode not in (0, -signal.SIGKILL) or "warning" in errors:
            raise BrokenError(f"milo run {arguments} ended with {milo.returncode}: {errors}")
        return milo.returncode, _completions(out)

    def _check(self, status: int, told: set[str], before: int) -> None:
        ran = self._ran()[before:]
        if twice := self._durable & set(ran):
            raise BrokenError(f"{sorted(twice)} ran again, although durable")
        self.again += sum(ran.count(name) for name in set(self._ran()[:before]))
        durable = self._recorded()
        if lost := (self._durable | told) - durable:
            raise BrokenError(f"{sorted(lost)} had been durable or told of, and are lost")
        self._durable = durable
        newest = self._newest()
        if newest not in ("", "completed", "interrupted") or (status == 0 and newest != "completed"):
            raise BrokenError(f"status {status}, but the run is {newest!r}")

    def _check_end(self) -> None:
        with Follower(self._journal) as follower:
            follower.poll()
            if follower.damage or follower.lost_lines or not all(follower.replay.verdicts):
                raise BrokenError(
                    f"the journal does not verify: {follower.damage!r}, {follower.lost_lines} lines lost"
                )
            connection = open_reader(self._journal)
            for name, completion in follower.replay.completions.items():
                if load_result(connection, follower.row.number, completion)["name"] != name:
                    raise BrokenError(f"the result of {name} is another one")
            connection.close()

    def _may_be_resumed(self) -> bool:
        return self._newest() not in ("", "completed")

    def _newest(self) -> str:
        """The status of the run; "" before there is one."""
        if not self._has_schema():
            return ""
        runs = history(self._journal)
        return runs[0].status if runs else ""

    def _recorded(self) -> set[str]:
        if not self._newest():
            return set()
        with Follower(self._journal) as follower:
            follower.poll()
            return set(follower.replay.completions)

    def _has_schema(self) -> bool:
        from milo.journal import JournalError

        try:
            open_reader(self._journal).close()
        except JournalError:
            # Killed before the journal was made. Once there was a run, this must not happen any more.
            if self._durable:
                raise
            return False
        return True

    def _ran(self) -> str:
        file = self._folder / "ran"
        return file.read_text() if file.exists() else ""


def _completions(out: str) -> set[str]:
    """The phases whose completion was told, of lines the last of which may be cut off."""
    actions = [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]
    return {action["payload"]["name"] for action in actions if action["type"] == "@@PHASE_COMPLETE"}


def undisturbed_s() -> float:
    """How long a run takes that nobody kills."""
    folder = Path(tempfile.mkdtemp(prefix="milo-kills-"))
    began = time.monotonic()
    Story(folder, random.Random(0), 0.0)._one([], None, lives=True)
    took_s = time.monotonic() - began
    shutil.rmtree(folder)
    return took_s


def main() -> int:
    """Kill and resume as often as asked; the exit status is 0 when every promise was kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000, help="how many (1,000)")
    parser.add_argument("--seed", type=int, default=1, help="what chance begins with (1)")
    wanted = parser.parse_args()
    choose = random.Random(wanted.seed)
    kills: Counter[str] = Counter()
    runs = again = 0
    began, took_s = time.monotonic(), undisturbed_s()
    while kills.total() < wanted.kills:
        folder = Path(tempfile.mkdtemp(prefix="milo-kills-"))
        point = NAMED[runs // 2 % len(NAMED)] if runs % 2 else None
        story = Story(folder, choose, took_s)
        try:
            story.tell(point)
        except BrokenError as broken:
            print(f"{point or 'a random moment'}: {broken}; {folder} is left as it was")
            return 1
        shutil.rmtree(folder)
        kills += story.kills
        again += story.again
        runs += 1
    print(f"{kills.total()} kills in {runs} runs, {time.monotonic() - began:.0f} s, seed {wanted.seed}")
    for point, number in kills.most_common():
        print(f"{number:6}  {point}")
    print("Durable completions that ran again: 0. Results lost or changed: 0. Locks to remove: 0.")
    print(f"Phases that ran again because they were not durable yet: {again}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
