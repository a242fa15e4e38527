"""A C build by milo beside the same build by ninja: what scheduling and watching 44 commands costs.

Usage: cbuild.py DIR, where DIR holds the sources, and the same commands in units.json (see examples/cbuild.py) and in
build.ninja.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The command itself, which tells afterwards what it has cost: its own processor time with that of its guard, and that
# of everything that it has run.
MILO = """
import json, os, resource, sys, time
from milo.cli import main
status = main(sys.argv[1:])
from milo.execution.guard import guard
own_s = time.process_time()
if guard._process is not None:
    fields = open(f"/proc/{guard._process.pid}/stat").read().rpartition(")")[2].split()
    own_s += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
run = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"own_s": own_s, "build_s": run.ru_utime + run.ru_stime}), file=sys.stderr)
sys.exit(status)
"""


@dataclass(frozen=True)
class Took:
    """What one build cost.

    Attributes:
        wall_s: Seconds from its start to its end.
        own_s: Processor seconds of the tool itself; 0 where it was not measured.
        build_s: Processor seconds of all that it ran; likewise.
    """

    wall_s: float
    own_s: float = 0.0
    build_s: float = 0.0


def clean(folder: Path) -> None:
    """Leave only the sources, and what was read of them in memory."""
    shutil.rmtree(folder / "build", ignore_errors=True)
    (folder / ".ninja_log").unlink(missing_ok=True)
    (folder / "build" / "obj").mkdir(parents=True)


def ninja(folder: Path, jobs: int) -> Took:
    """Build with ninja."""
    return Took(timed(["ninja", f"-j{jobs}"], folder)[0])


def milo(folder: Path, jobs: int) -> Took:
    """Build with milo, in plain lines that nobody reads."""
    units = ["-p", f"units={folder / 'units.json'}", "-p", f"source={folder}"]
    command = [
        "run",
        str(ROOT / "examples" / "cbuild.py"),
        *units,
        "-j",
        str(jobs),
        "--plain",
        "--no-journal",
    ]
    wall_s, errors = timed([sys.executable, "-c", MILO, *command], folder)
    return Took(wall_s, **json.loads(errors.splitlines()[-1]))


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Run a build from nothing; the seconds it took and what it wrote to stderr."""
    clean(folder)
    began = time.monotonic()
    ran = subprocess.run(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    wall_s = time.monotonic() - began
    if ran.returncode:
        raise SystemExit(f"{command[0]} ended with status {ran.returncode}: {ran.stderr}")
    return wall_s, ran.stderr


def main(arguments: list[str]) -> int:
    """Build in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    pairs: list[tuple[Took, Took]] = []
    milo(folder, options.jobs)  # both find the compiler and the sources in memory from here on
    for number in range(options.pairs):
        # Each goes first as often as the other, so that what comes and goes on the machine hits both.
        if number % 2:
            second = ninja(folder, options.jobs)
            pairs.append((milo(folder, options.jobs), second))
        else:
            pairs.append((milo(folder, options.jobs), ninja(folder, options.jobs)))
    ratios = sorted(one.wall_s / other.wall_s for one, other in pairs)
    shares = sorted(one.own_s / one.build_s for one, _ in pairs)
    units = len(json.loads((folder / "units.json").read_text())["units"])
    print(
        f"{units} commands, {options.jobs} at once, {len(pairs)} pairs, Python {platform.python_version()}, ",
        end="",
    )
    print(f"{os.cpu_count()} processors")
    print(f"  milo  {statistics.median(one.wall_s for one, _ in pairs):.2f} s (median)")
    print(f"  ninja {statistics.median(other.wall_s for _, other in pairs):.2f} s (median)")
    print(f"  ratio {statistics.median(ratios):.3f} (median of pairs; {ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"  milo's own processor time {100 * statistics.median(shares):.1f} % of the build's", end="")
    print(
        f" ({statistics.median(one.own_s for one, _ in pairs):.2f} s, its guard's and its imports' included)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
