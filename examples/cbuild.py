"""A C build as a pipeline: `milo run examples/cbuild.py -p units=units.json -p source=DIR` runs the commands of a file.

The file holds `{"prepare": command, "units": [{"id", "cmd", "deps", "inputs"}, ...]}`, with commands that are meant to
run in the source directory: what a build generator writes for ninja, as JSON.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from milo import Phase, Pipeline, shell

# What a command costs before it has read anything, told in bytes of source.
START_BYTES = 5_000
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)
GUARD = re.compile(rb"(?:\s|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*#[ \t]*(?:ifndef|pragma[ \t]+once)")


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
    """How many bytes are read of a file, with what a C source includes; none if it is yet to be made."""
    if not path.is_file():
        return 0
    return included(path, set(), ()) if path.suffix in (".c", ".h") else path.stat().st_size


def included(path: Path, seen: set[Path], within: tuple[Path, ...]) -> int:
    """The bytes of a C file and of what it includes from beside it.

    A header that begins with a guard counts once, and one that serves as a template each time: that is what makes some
    small sources take the compiler longest.
    """
    length, guarded, headers = parts(path)
    if path in within or (guarded and path in seen):
        return 0
    seen.add(path)
    return length + sum(included(each, seen, (*within, path)) for each in headers)


@cache
def parts(path: Path) -> tuple[int, bool, tuple[Path, ...]]:
    """How long a C file is, whether it begins with a guard, and what it includes from beside it."""
    text = path.read_bytes()
    headers = ((path.parent / os.fsdecode(name)).resolve() for name in INCLUDE.findall(text))
    return len(text), GUARD.match(text) is not None, tuple(each for each in headers if each.is_file())
