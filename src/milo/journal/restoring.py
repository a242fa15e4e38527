"""What resuming a run would restore and do, told from its records alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from milo.journal.declared import DeclaredPhase
from milo.journal.errors import CodecError
from milo.journal.plan import Plan, plan
from milo.journal.replay import Replay, load_result

__all__ = ["planned"]


def planned(
    connection: sqlite3.Connection,
    recorded: Replay,
    phases: Sequence[DeclaredPhase],
    *,
    serializer: str = "",
) -> tuple[Plan, dict[str, Any]]:
    """Plan how to go on with a run; nothing is changed by it.

    Args:
        connection: For reading.
        recorded: The run so far.
        phases: What is declared today.
        serializer: "pickle" to accept results that were pickled.

    Returns:
        The plan, and the results of the phases that are kept.
    """
    results: dict[str, Any] = {}
    lost: dict[str, str] = {}
    for name, completion in recorded.completions.items():
        try:
            results[name] = load_result(connection, recorded.row.number, completion, serializer=serializer)
        except CodecError as error:
            lost[name] = str(error)
    found = plan(recorded, phases, lost)
    return found, {name: results[name] for name in found.kept}
