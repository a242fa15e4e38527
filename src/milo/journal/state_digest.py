"""The digest of a state: recorded at the end of a run, so that a replay can be compared with what was live."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Any, Final

from milo.journal.chain import HASH_SIZE
from milo.journal.codec import encode
from milo.journal.errors import CodecError
from milo.pipeline import PipelineState

__all__ = ["state_digest"]

_PHASE: Final = struct.Struct("<ddI")


def state_digest(state: PipelineState) -> bytes:
    """Equal for equal states, in every process."""
    run = (state.name, state.current_phase, state.started_at, state.elapsed, state.progress, state.status)
    digest = blake2b(encode(run), digest_size=HASH_SIZE)
    parts = []
    for name, leaf in zip(state.names, state.leaves, strict=True):
        status, started_at, elapsed, error, attempt, logs = leaf
        try:
            parts.append(f"{name}\0{status}\0{error}\0".encode("utf-8", "surrogatepass"))
            parts.append(_PHASE.pack(started_at, elapsed, attempt))
        except (TypeError, struct.error):
            parts.append(_odd(leaf))
        if len(logs):
            parts.append(encode([(log.line, log.stream, log.timestamp) for log in logs.as_tuple()]))
    digest.update(b"".join(parts))
    return digest.digest()


def _odd(leaf: tuple[Any, ...]) -> bytes:
    """A phase whose actions were made by hand, with values that milo itself does not use."""
    try:
        return encode(leaf[:-1])
    except CodecError:
        return repr(leaf[:-1]).encode("utf-8", "backslashreplace")
