"""What stands in a record: a byte for its kind, and an action or a fact about the run in few bytes.

The frequent actions have layouts of their own; whatever does not fit exactly is kept by the codec, so nothing changes
on the way. Phases are numbers: their places in the declaration that was recorded last before.
"""

from __future__ import annotations

import struct
from typing import Final

from milo.pipeline import actions as types

__all__ = ["BROKEN", "FIRST_ACTION", "HEAD", "LOG_LINE", "PHASES", "STATE", "Kept"]

# Facts about the run.
HEAD: Final = 1  # a process has begun to work on it: a mapping
PHASES: Final = 2  # a part of the declaration, as JSON
STATE: Final = 3  # the hash of the state at this point
BROKEN: Final = 4  # from here on actions were lost: why
LOG_LINE: Final = 5  # a row of `logs`, when it is read among the records; never written
# Actions.
FIRST_ACTION: Final = 16
OTHER: Final = 16
PIPELINE_START: Final = 17
PIPELINE_COMPLETE: Final = 18
PIPELINE_CANCELLED: Final = 19
PIPELINE_END: Final = 20
PHASE_START: Final = 21
PHASE_COMPLETE: Final = 22
PHASE_FAILED: Final = 23
PHASE_SKIPPED: Final = 24
PHASE_CANCELLED: Final = 25
PHASE_RETRY: Final = 26
PHASE_COMPLETE_MORE: Final = 27  # with fields that the layout has no place for

RUN_KINDS: Final = {
    types.PIPELINE_START: PIPELINE_START,
    types.PIPELINE_COMPLETE: PIPELINE_COMPLETE,
    types.PIPELINE_CANCELLED: PIPELINE_CANCELLED,
    types.PIPELINE_END: PIPELINE_END,
}

# Layouts; an error or a result follows to the end of the data.
START: Final = struct.Struct("<BIId")  # kind, phase, attempt, at
END: Final = struct.Struct("<BId")  # kind, phase, at
COMPLETE: Final = struct.Struct("<BIBd")  # kind, phase, how its result is kept, at
COMPLETE_MORE: Final = struct.Struct(
    "<BIBI"
)  # kind, phase, how its result is kept, bytes of the other fields
RETRY: Final = struct.Struct("<BIIIdd")  # kind, phase, attempt, max_retries, delay, at
LOG: Final = struct.Struct(
    "<QIIBd"
)  # after which record, phase, number of the line in its phase, stream, timestamp
STREAMS: Final = ("stdout", "stderr")

# How a result is kept.
HERE: Final = 0  # in the record
APART: Final = 1  # in `results`; the record has its hash
NOT: Final = 2  # not at all; the record says why


class Kept:
    """How the result of a completed phase is kept.

    Args:
        data: Its bytes, if they stand in the record.
        digest: The hash of its bytes, if they stand apart.
        reason: Why it is not kept, if it is not; "" when nobody wanted it kept.
    """

    __slots__ = ("as_bytes", "data", "digest", "reason")

    def __init__(self, data: bytes | None = None, digest: bytes | None = None, reason: str = "") -> None:
        self.data = data
        self.digest = digest
        self.reason = reason
        self.as_bytes: tuple[int, bytes]
        """How it is kept, and what the record says about it."""
        if data is not None:
            self.as_bytes = HERE, data
        elif digest is not None:
            self.as_bytes = APART, digest
        else:
            self.as_bytes = NOT, reason.encode("utf-8", "backslashreplace")

    @classmethod
    def of_bytes(cls, how: int, data: bytes) -> Kept:
        """The other way round."""
        if how == HERE:
            return cls(data=data)
        return cls(digest=data) if how == APART else cls(reason=data.decode("utf-8", "replace"))
