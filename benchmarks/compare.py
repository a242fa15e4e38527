"""Prints what a phase costs with milo, with what people write by hand, and with its peers, side by side.

Every side runs the same handlers on the same graphs in processes of its own, in turns, so that a slow minute of the
machine hits all of them. A side that needs longer than the limit for a graph is not asked for a larger one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from environments import MissingError, python_for
from plot import plot
from report import Cells, report
from shapes import SHAPES

HERE = Path(__file__).resolve().parent
MILO = ("milo_plain", "milo_dressed")
BARE = ("bare_inline", "bare_threads", "bare_workers")
PEERS = ("dask_threaded", "doit_threads", "hamilton_driver", "luigi_local", "prefect_flow")
KEPT = "# Beside this table\n"
"""What follows it in RESULTS.md was measured by other scripts, and stays."""
LIMIT_S = 5.0
ROUND_S = 4.0
"""A side whose graphs of one shape took longer than this is measured once only."""


def main() -> int:
    """Measure, print the tables, and write them down if asked to."""
    options = _options()
    cells: Cells = {}
    notes: dict[str, str] = {}
    began = time.monotonic()
    pythons = _pythons(options.sides, notes)
    slow: set[tuple[str, str]] = set()
    for turn in range(options.rounds):
        for shape in options.shapes:
            # Who goes second finds a warmer machine, so the sides take turns.
            for side in list(pythons) if turn % 2 == 0 else reversed(list(pythons)):
                if (side, shape) in slow:
                    continue
                counts = [n for n in options.counts if turn == 0 or n <= 10_000]
                counts += [n for n in options.large if side in MILO[:1] and turn == 0]
                started = time.monotonic()
                _measure(pythons[side], side, shape, counts, options, cells, notes)
                if time.monotonic() - started > ROUND_S and side not in ("milo_plain", "bare_threads"):
                    slow.add((side, shape))
    text = report(cells, notes, options.sides, options.shapes, options.workers, time.monotonic() - began)
    print(text)
    if options.write:
        results = HERE / "RESULTS.md"
        _, mark, kept = results.read_text("utf-8").partition(KEPT) if results.exists() else ("", "", "")
        results.write_text(text + ("\n" + mark + kept if mark else ""), encoding="utf-8")
        (HERE.parent / "docs" / "cost.svg").write_text(plot(cells, options.shapes), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "counts", nargs="*", type=_at_least(3), help="numbers of phases (default: 1000 10000 100000)"
    )
    parser.add_argument(
        "--full", action="store_true", help="more rounds, and milo with 1,000,000 phases in each shape"
    )
    parser.add_argument("--shape", dest="shapes", action="append", choices=SHAPES, help="only this shape")
    parser.add_argument(
        "--side", dest="sides", action="append", choices=(*MILO, *BARE, *PEERS), help="only this side"
    )
    parser.add_argument("--workers", type=_at_least(1), default=4, help="threads of each side (default: 4)")
    parser.add_argument(
        "--rounds", type=_at_least(1), help="how often all are measured (default: 3, with --full 9)"
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help=f"seconds for one graph (default: {LIMIT_S:g})"
    )
    parser.add_argument("--write", action="store_true", help="write RESULTS.md and docs/cost.svg as well")
    options = parser.parse_args()
    options.large = [1_000_000] if options.full and not options.counts else []
    options.counts = options.counts or [1_000, 10_000, 100_000]
    options.shapes = options.shapes or list(SHAPES)
    options.sides = options.sides or [*MILO, *BARE, *PEERS]
    options.rounds = options.rounds or (9 if options.full else 3)
    return options


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}; got {text!r}")
        return int(text)

    return number


def _pythons(sides: Iterable[str], notes: dict[str, str]) -> dict[str, Path]:
    """The interpreter of each side that can be run here; of the others, why not."""
    pythons = {}
    for side in sides:
        try:
            pythons[side] = python_for(side)
        except MissingError as missing:
            notes[side] = f"not installed: {missing}"
    return pythons


def _measure(
    python: Path,
    side: str,
    shape: str,
    counts: list[int],
    options: argparse.Namespace,
    cells: Cells,
    notes: dict[str, str],
) -> None:
    """Run one side on the graphs of one shape, from the smallest on, and note what came of each."""
    known_too_long = [n for n in counts if cells.get((side, shape, n), {}).get("over_s")]
    counts = [n for n in counts if not known_too_long or n < min(known_too_long)]
    if not counts:
        return
    # Nothing of milo's own is given the peers' limit: what it costs at a million is the question.
    limit = 600.0 if side in MILO else options.limit
    command = [str(python), str(HERE / "measure.py"), side, *[f"{shape}:{n}" for n in counts]]
    command += ["--workers", str(options.workers), "--limit", str(limit)]
    status, output, errors = _run(command)
    over = False
    for line in output.splitlines():
        record = json.loads(line)
        if "count" not in record:
            notes[side] = ", ".join(filter(None, (record["version"], record["note"])))
            continue
        _note(cells, (side, shape, record["count"]), record)
        over = over or "over_s" in record
    if status and not over:
        last = (errors.strip() or "no output").splitlines()[-1]
        notes[side] = f"{notes.get(side, '')} failed on {shape}: {last[:200]}".strip()


def _run(command: list[str]) -> tuple[int, str, str]:
    """Run a side to its end, and end whatever it leaves behind: its servers would be in the way of the others."""
    # Files, not pipes: a server that lives on would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        side = subprocess.Popen(
            command, stdout=output, stderr=errors, env=_environment(), start_new_session=True
        )
        try:
            status = side.wait()
        finally:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(side.pid, signal.SIGKILL)
        output.seek(0)
        errors.seek(0)
        return status, output.read(), errors.read()


def _note(cells: Cells, key: tuple[str, str, int], record: dict[str, float]) -> None:
    """Keep the median of what the rounds gave for one graph, and every sample of it."""
    if "over_s" in record:
        cells[key] = {"over_s": record["over_s"]}
        return
    cell = cells.setdefault(key, {"samples": []})
    samples = cell["samples"]
    assert isinstance(samples, list)
    samples.append(record)
    for name in ("run_us", "declare_us", "cpu_us", "bytes"):
        cell[name] = statistics.median([sample[name] for sample in samples])


def _environment() -> dict[str, str]:
    """Everybody's compiled modules are kept, else a start would compile them again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    sys.exit(main())
