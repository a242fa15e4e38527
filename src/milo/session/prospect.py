"""What going on with a recorded run would do, told without taking it over and without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from milo.journal import Follower, Plan, declare, open_reader, planned
from milo.pipeline import Pipeline

__all__ = ["Prospect", "prospect"]


class Prospect(NamedTuple):
    """What resuming a run would do.

    Attributes:
        run: The run's name.
        status: Its status.
        plan: What would become of each phase, and why.
        hindrance: Why it could not be resumed just now; "" when it could.
        damage: What is wrong with its journal; "" when nothing is.
    """

    run: str
    status: str
    plan: Plan
    hindrance: str
    damage: str


def prospect(pipeline: Pipeline, path: Path, run: str, *, serializer: str = "") -> Prospect:
    """Tell what resuming a run would do.

    Args:
        pipeline: As it is declared today.
        path: The journal's file.
        run: The run's name, or the beginning of it.
        serializer: "pickle" to accept results that were pickled.

    Raises:
        JournalError: There is no such run, or it cannot be read.
    """
    with Follower(path, run) as follower:
        follower.poll()
        holder, row = follower.holder(), follower.row
        connection = open_reader(path)
        try:
            plan, _ = planned(connection, follower.replay, declare(pipeline), serializer=serializer)
        finally:
            connection.close()
        hindrance = ""
        if holder is not None:
            hindrance = f"{holder} is at work on it"
        elif row.pipeline != pipeline.name:
            hindrance = f"it is one of the pipeline {row.pipeline!r}, not of {pipeline.name!r}"
        elif follower.replay.broken:
            hindrance = follower.replay.broken
        return Prospect(row.name, follower.status(), plan, hindrance, follower.damage)
