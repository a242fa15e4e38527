"""A lock of an open file: one has it at a time, and whoever closes the file lets it go."""

from __future__ import annotations

import os
from pathlib import Path

from milo.file_lock import try_lock


def test_one_at_a_time_has_it_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert try_lock(first)
    assert not try_lock(second)
    os.close(first)
    assert try_lock(second)
    os.close(second)
