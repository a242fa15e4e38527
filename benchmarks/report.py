"""What was measured, as Markdown: a table a shape, ratios, growth, memory, and the machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Cells", "report"]

Cells = dict[tuple[str, str, int], dict[str, Any]]
"""(side, shape, phases) to the medians, or to `over_s` where a side was given up after so many seconds."""

BASE = "bare_threads"


def report(
    cells: Cells,
    notes: Mapping[str, str],
    sides: Sequence[str],
    shapes: Sequence[str],
    workers: int,
    took_s: float,
) -> str:
    """Everything that was measured, in words and tables."""
    counts = sorted({count for _, _, count in cells})
    parts = [
        "# What a phase costs\n",
        "Microseconds a phase without its declaration, medians; in brackets the ratio to `bare_threads`, a\n"
        "`graphlib.TopologicalSorter` with a `ThreadPoolExecutor`, of the same rounds. Every handler does next to\n"
        "nothing, and every run is checked: each handler ran once, with its dependencies' values.\n",
    ]
    for shape in shapes:
        parts.append(f"## {shape}\n")
        parts.append(_table(cells, notes, sides, shape, counts))
    parts += ["## milo\n", _own(cells, shapes, counts), "## The machine\n", _machine(workers, took_s)]
    parts += ["## The sides\n", _sides(sides, notes)]
    return "\n".join(parts)


def _table(
    cells: Cells, notes: Mapping[str, str], sides: Sequence[str], shape: str, counts: Sequence[int]
) -> str:
    lines = ["| | " + " | ".join(f"{count:,}" for count in counts) + " |", "|---|" + "---:|" * len(counts)]
    for side in sides:
        row = [_said(cells, side, shape, count, notes) for count in counts]
        lines.append(f"| {side} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _said(cells: Cells, side: str, shape: str, count: int, notes: Mapping[str, str]) -> str:
    cell = cells.get((side, shape, count))
    if cell is None:
        smaller = [cells[key] for key in cells if key[:2] == (side, shape) and "over_s" in cells[key]]
        return "> 5 s" if smaller else ("not run" if not any(key[0] == side for key in cells) else "")
    if "over_s" in cell:
        return f"> {cell['over_s']:g} s"
    base = cells.get((BASE, shape, count))
    ratio = f" ({cell['run_us'] / base['run_us']:.2f})" if base and "run_us" in base and side != BASE else ""
    return f"{cell['run_us']:,.1f}{ratio}"


def _own(cells: Cells, shapes: Sequence[str], counts: Sequence[int]) -> str:
    lines = []
    for shape in shapes:
        found = {
            n: cells[("milo_plain", shape, n)]
            for n in counts
            if "run_us" in cells.get(("milo_plain", shape, n), {})
        }
        if not found:
            continue
        last = max(found)
        text = f"- {shape}: declaring costs {found[last]['declare_us']:.1f} µs a phase at {last:,} phases"
        text += f", memory with the declaration {found[last]['bytes']:,.0f} bytes a phase"
        grown = [
            f"{n:,} phases cost {found[n]['run_us'] / found[10_000]['run_us']:.2f}"
            for n in found
            if n > 10_000 in found
        ]
        text += f"; growth: {', '.join(grown)} of what 10,000 cost" if grown else ""
        spread = _spread(cells, shape)
        lines.append(text + (f"; ratio to bare_threads at 10,000: {spread}" if spread else "") + ".")
    return "\n".join(lines) + "\n"


def _spread(cells: Cells, shape: str) -> str:
    """The range of the rounds' own ratios."""
    ours = cells.get(("milo_plain", shape, 10_000), {}).get("samples", [])
    theirs = cells.get((BASE, shape, 10_000), {}).get("samples", [])
    ratios = sorted(a["run_us"] / b["run_us"] for a, b in zip(ours, theirs, strict=False))
    return f"{ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})" if ratios else ""


def _machine(workers: int, took_s: float) -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or "an unknown processor"
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} processors ({model}), {workers} workers a side; measured in {took_s:.0f} s.\n"
    )


def _sides(sides: Sequence[str], notes: Mapping[str, str]) -> str:
    return "\n".join(f"- `{side}`{': ' + notes[side] if notes.get(side) else ''}" for side in sides) + "\n"
