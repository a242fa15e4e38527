"""Damages a small journal in every way there is, and looks what is made of it.

    python -m tests.journal.damage [STEP]

cuts its files at every byte offset (or every STEP-th) and flips every bit of its pages (or every STEP-th), each time in
a fresh copy. Whatever was done to it, a reader and a writer get the longest prefix that can be trusted or a
JournalError, never another exception and never a wrong action or result; and a run recorded afterwards is whole.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from milo import Action
from milo.journal.database import open_reader
from milo.journal.declared import declare
from milo.journal.errors import CodecError, JournalError
from milo.journal.follower import Follower
from milo.journal.history import history
from milo.journal.journal import Journal
from milo.journal.location import default_path
from milo.journal.replay import load_result, replay
from milo.journal.run_rows import run_rows
from tests.journal.world import (
    about,
    begin,
    complete,
    completed,
    ended,
    failed,
    pipeline_of,
    printed,
    start,
    started,
)

PIPELINE = pipeline_of("a", "b", "c")
RESULTS = {"a": {"x": 1}, "b": "y" * 5000}
RUNS: dict[str, list[Action]] = {
    name: [
        start(),
        started("a"),
        printed("a", f"line of {name}"),
        completed("a", RESULTS["a"]),
        started("b"),
        completed("b", RESULTS["b"]),
        started("c"),
        *last,
    ]
    for name, last in (("r1", [completed("c"), complete()]), ("r2", [failed("c"), ended()]))
}


def make(folder: Path) -> None:
    """A journal in two conditions: `closed` in one file, `killed` with its write-ahead log."""
    for condition in ("closed", "killed"):
        path = default_path(folder / condition)
        path.parent.parent.mkdir(parents=True)
        for name, actions in RUNS.items():
            recorder = begin(path, PIPELINE, name)
            for at in range(0, len(actions), 3):
                recorder.record(actions[at : at + 3])
            if condition == "killed" and name == "r2":
                copy(path.parent, folder / "copy")
            recorder.close()
        if condition == "killed":
            shutil.rmtree(path.parent)
            shutil.copytree(folder / "copy", path.parent)
            shutil.rmtree(folder / "copy")


def copy(source: Path, target: Path) -> None:
    """The files as a killed process leaves them."""
    target.mkdir()
    for file in source.iterdir():
        if file.is_file() and not file.name.endswith("-shm"):
            shutil.copy(file, target)


def examine(path: Path, outcomes: Counter[str]) -> None:
    """Read what is there, then record a run in it, then read again."""
    outcomes[read(path)] += 1
    messages: list[str] = []
    try:
        recorder = begin(path, PIPELINE, "new", journal=Journal(path, on_message=messages.append))
        recorder.record([start(), started("a"), completed("a", RESULTS["a"]), complete()])
        recorder.close()
    except JournalError as error:
        check_words(error)
        outcomes["refused to write"] += 1
        return
    outcomes["recovered" if messages else "written to"] += 1
    found = {info.row.name: info.status for info in history(path)}
    assert found.pop("new", "") == "completed", found
    read(path)
    go_on(path)


def read(path: Path) -> str:
    """Everything that a reader can see: a prefix of what was written, or a JournalError."""
    try:
        history(path)
        connection = open_reader(path)
    except JournalError as error:
        check_words(error)
        return "refused to read"
    whole = True
    try:
        for row in list(run_rows(connection)):
            recorded, _ = replay(connection, row)
            if row.name in RUNS:
                check_results(connection, row.number, recorded.completions)
                whole &= check_prefix(path, row.name)
    except sqlite3.Error:
        return "read in part"
    finally:
        connection.close()
    return "read as a whole" if whole else "read in part"


def check_words(error: JournalError) -> None:
    assert error.message.endswith((".", ")")), error.message
    assert "Traceback" not in error.message


def check_prefix(path: Path, name: str) -> bool:
    """Whether all of a run is there; what is there has to be how it began."""
    with Follower(path, name) as follower:
        found = follower.poll()
    wanted = [without_result(action) for action in RUNS[name]]
    lines = [action for action in found if action.type == "@@PHASE_LOG"]
    records = [action for action in found if action.type != "@@PHASE_LOG"]
    assert records == [action for action in wanted if action.type != "@@PHASE_LOG"][: len(records)], (
        name,
        found,
    )
    assert all(line in wanted for line in lines), found
    return len(found) == len(wanted)


def without_result(action: Action) -> Action:
    payload = {key: value for key, value in action.payload.items() if key != "result"}
    return Action(action.type, payload)


def check_results(connection: sqlite3.Connection, number: int, completions: dict[str, Any]) -> None:
    for name, completion in completions.items():
        try:
            assert load_result(connection, number, completion) == RESULTS.get(name)
        except CodecError:
            continue


def go_on(path: Path) -> None:
    """What is left of the unfinished run can be resumed, or is refused in words."""
    journal = Journal(path)
    try:
        taken = journal.take("r2")
        planned, results = taken.plan(declare(PIPELINE))
        assert all(results[name] == RESULTS.get(name) for name in planned.kept)
        recorder = taken.go_on(about(PIPELINE, resumed=True), declare(PIPELINE))
        recorder.record([start(resumed=True), completed("c"), complete()])
        recorder.close()
        assert next(info for info in history(path) if info.row.name == "r2").status == "completed"
    except JournalError:
        journal.close()


def cut(data: bytes, step: int) -> Iterator[bytes]:
    """The file cut off at offsets."""
    for at in range(0, len(data), step):
        yield data[:at]


def flipped(data: bytes, step: int) -> Iterator[bytes]:
    """The file with one bit changed."""
    for bit in range(0, len(data) * 8, step):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def harm(original: Path, file: str, ways: Callable[[bytes, int], Iterator[bytes]], step: int) -> Counter[str]:
    """Harm one file of a journal in many ways, each in a fresh copy; what came of it."""
    outcomes: Counter[str] = Counter()
    for data in ways((original / ".milo" / file).read_bytes(), step):
        folder = Path(tempfile.mkdtemp(prefix="milo-damage-"))
        copy(original / ".milo", folder / ".milo")
        (folder / ".milo" / file).write_bytes(data)
        try:
            examine(default_path(folder), outcomes)
        except BaseException:
            print(f"{folder} is left as it was damaged", file=sys.stderr)
            raise
        shutil.rmtree(folder)
    return outcomes


CASES = [
    ("closed", "runs.db", cut),
    ("killed", "runs.db-wal", cut),
    ("killed", "runs.db", cut),
    ("closed", "runs.db", flipped),
    ("killed", "runs.db-wal", flipped),
    ("killed", "runs.db", flipped),
]


def main(step: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="milo-damage-"))
    make(folder)
    for condition, file, ways in CASES:
        began = time.monotonic()
        outcomes = harm(folder / condition, file, ways, step)
        count = outcomes["refused to read"] + outcomes["read in part"] + outcomes["read as a whole"]
        print(
            f"{condition} {file} {ways.__name__}: {count} ways, {time.monotonic() - began:.0f} s: {dict(outcomes)}",
            flush=True,
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
