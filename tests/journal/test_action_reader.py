"""Records that milo never wrote are damage, not crashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.journal import entries
from milo.journal.action_reader import ActionReader, kept_in
from milo.journal.entries import COMPLETE, LOG, LOG_LINE, PHASE_COMPLETE, START, Kept
from milo.journal.errors import DamagedError

KINDS = [value for name, value in vars(entries).items() if name.isupper() and isinstance(value, int)]


@given(st.sampled_from([0, *KINDS, 255]), st.binary(max_size=60))
def test_any_bytes(kind: int, data: bytes) -> None:
    """Any bytes give an action or DamagedError."""
    reader = ActionReader(["a"])
    for read in (reader.decode, kept_in):
        try:
            read(bytes((kind,)) + data)
        except DamagedError:
            continue


def test_nothing_at_all() -> None:
    """An empty record is damage."""
    with pytest.raises(DamagedError):
        ActionReader(["a"]).decode(b"")


def test_phase_that_is_not_declared() -> None:
    """A number beyond the declaration is damage."""
    with pytest.raises(DamagedError):
        ActionReader(["a"]).decode(START.pack(entries.PHASE_START, 1, 1, 1.0))


def test_log_line() -> None:
    """A row of logs becomes the action that it was."""
    row = bytes((LOG_LINE,)) + LOG.pack(7, 0, 3, 1, 2.5) + "é".encode()
    assert ActionReader(["a"]).decode(row).payload == {
        "name": "a",
        "line": "é",
        "stream": "stderr",
        "timestamp": 2.5,
    }


@pytest.mark.parametrize("kept", [Kept(b"N"), Kept(digest=b"d" * 16), Kept(reason="too large"), Kept()])
def test_how_a_result_is_kept(kept: Kept) -> None:
    """What a completion says about its result is read as it was written."""
    how, data = kept.as_bytes
    found = kept_in(COMPLETE.pack(PHASE_COMPLETE, 2, how, 1.0) + data)
    assert found is not None
    assert found[0] == 2
    assert (found[1].data, found[1].digest, found[1].reason) == (kept.data, kept.digest, kept.reason)
