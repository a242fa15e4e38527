"""Lets the n-th write or sync of a small run fail, for every n, and looks what was claimed.

    python -m tests.journal.disk_faults

prints figures. Nothing that was called durable may be missing, the process has to end with words, and the run has to be
resumable: what is recorded is a prefix of a run that stopped.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from milo.journal.errors import JournalError
from milo.journal.history import history
from milo.journal.journal import Journal
from tests.journal.world import begin, complete, completed, pipeline_of, printed, replayed, start, started

SOURCE = Path(__file__).with_name("faulty_disk.c")
NAMES = ("a", "b", "c")
PIPELINE = pipeline_of(*NAMES)
ERRORS = (errno.ENOSPC, errno.EIO)
FAILED = 3


def work(path: Path, durability: str) -> int:
    """A small run; it says on stdout what is durable."""
    try:
        recorder = begin(path, PIPELINE, journal=Journal(path, durability=durability))  # type: ignore[arg-type]
    except JournalError as error:
        print("refused", error)
        return FAILED
    try:
        recorder.record([start()])
        for name in NAMES:
            recorder.record([started(name), printed(name, "x" * 50)])
            recorder.record([completed(name, name * 3000)])
            print("durable", name, flush=True)
        recorder.record([complete()])
        print("durable complete", flush=True)
    except JournalError as error:
        print("failed", error)
        return FAILED
    finally:
        recorder.close()
    return 0


def build(folder: Path) -> Path | None:
    """The library, or None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "faulty_disk.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return library if done.returncode == 0 else None


def attempt(library: Path, at: int, number: int, on: bool, durability: str = "process") -> tuple[int, str]:
    """One run in which a call fails; how many calls there were, and what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="milo-faults-"))
    count = folder.with_suffix(".count")
    path = folder / "runs.db"
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAULTY_FOLDER": str(folder.resolve()),
        "FAULTY_AT": str(at),
        "FAULTY_ERRNO": str(number),
        "FAULTY_ON": "1" if on else "0",
        "FAULTY_COUNT": str(count),
    }
    command = [sys.executable, "-m", "tests.journal.disk_faults", str(path), durability]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, FAILED), (at, done.stdout, done.stderr)
    assert done.stderr == "", (at, done.stderr)
    outcome = check(path, done.stdout.splitlines(), done.returncode)
    calls = int(count.read_text())
    shutil.rmtree(folder)
    count.unlink()
    return calls, outcome


def check(path: Path, said: list[str], status: int) -> str:
    """Whether everything that was called durable is there, and what can be done with the run."""
    durable = [line.split()[1] for line in said if line.startswith("durable")]
    if status == 0:
        assert durable == [*NAMES, "complete"]
    if said and said[0].startswith("refused"):
        assert not durable
        begin(path, PIPELINE, "later").close()  # nothing is left behind that would be in the way
        return "refused"
    recorded, rows = replayed(path)
    assert not rows.damage, rows.damage
    done = [*recorded.completions, *(["complete"] if recorded.state.status == "completed" else [])]
    assert set(durable) <= set(done), (durable, done)
    if status == 0:
        return "completed"
    assert any(line.startswith("failed") for line in said), said
    info = history(path)[0]
    assert info.status in ("interrupted", "completed"), info
    assert not info.broken, (info, said)
    return "failed, and resumable" if info.resumable else "failed at the very end"


def every(library: Path, number: int, on: bool, durability: str, step: int = 1) -> Counter[str]:
    """Every call in turn."""
    outcomes: Counter[str] = Counter()
    calls, _ = attempt(library, 0, number, on, durability)
    for at in range(1, calls + 1, step):
        outcomes[attempt(library, at, number, on, durability)[1]] += 1
    return outcomes


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="milo-faults-"))
    library = build(folder)
    if library is None:
        sys.exit("There is no C compiler, or this is not Linux.")
    for durability in ("process", "power"):
        for number in ERRORS:
            for on in (False, True):
                outcomes = every(library, number, on, durability)
                words = "and all later ones" if on else "alone"
                print(
                    f"{durability}, {errno.errorcode[number]} at each call {words}: {dict(outcomes)}",
                    flush=True,
                )
    shutil.rmtree(folder)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(work(Path(sys.argv[1]), sys.argv[2]))
    main()
