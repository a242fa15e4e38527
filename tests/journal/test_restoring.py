"""What resuming would restore: told from the records, without the run being taken over."""

from __future__ import annotations

from pathlib import Path

import milo
from milo import Phase, Pipeline
from milo.journal import declare, find, open_reader, planned, replay


def broken() -> None:
    raise ValueError("no")


def test_results_come_with_the_plan_and_only_those_that_are_kept(tmp_path: Path) -> None:
    """Small ones, large ones, and none for a result that has to be made again."""
    path = tmp_path / "runs.db"
    kept = [Phase("small", lambda: [1]), Phase("large", lambda: "x" * 50_000)]
    gone = [Phase("secret", lambda: 7, persist=False), Phase("odd", object), Phase("end", broken)]
    pipeline = Pipeline("p", *kept, *gone)
    milo.run(pipeline, journal=path, keep_going=True)
    connection = open_reader(path)
    recorded, _ = replay(connection, find(connection, path, None))
    plan, results = planned(connection, recorded, declare(pipeline))
    connection.close()
    assert results == {"small": [1], "large": "x" * 50_000}
    assert plan.kept == ["small", "large"]
    reasons = {each.phase: each.reason for each in plan.decisions}
    assert reasons["secret"].startswith("its result is not kept")
    assert reasons["odd"].startswith("its result is not kept: ")
