"""A C build as a pipeline: `milo run examples/cbuild.py -p units=units.json -p source=DIR` runs the commands of a file.

The file holds `{"prepare": command, "units": [{"id", "cmd", "deps", "inputs"}, ...]}`, with commands that are meant to
run in the source directory: what a build generator writes for ninja, as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from milo import Phase, Pipeline, shell

# What a command costs before it has read anything, told in bytes of source.
START_BYTES = 5_000


def pipeline(units: Path, source: Path = Path()) -> Pipeline:
    """Make a phase of each command.

    Args:
        units: The file with the commands.
        source: Where they run.
    """
    plan = json.loads(units.read_text(encoding="utf-8"))
    prepare = Phase("prepare", shell(plan["prepare"], cwd=source), weight=START_BYTES)
    return Pipeline("cbuild", prepare, *(phase(unit, source) for unit in plan["units"]))


def phase(unit: dict[str, Any], source: Path) -> Phase:
    """Make a phase of one command; what has most to read, and the way to the end that has, goes first."""
    return Phase(
        unit["id"],
        shell(unit["cmd"], cwd=source),
        depends_on=unit["deps"] or ("prepare",),
        parallel=True,
        weight=START_BYTES + sum(size(source / name) for name in unit["inputs"]),
    )


def size(path: Path) -> int:
    """How many bytes a file has; none if it is yet to be made."""
    return path.stat().st_size if path.is_file() else 0
