"""File lock: an open file locked through the operating system, which releases it when its process is gone."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["try_lock"]

_FAR: Final = 1 << 20  # beyond the text, which others shall be able to read

if os.name == "nt":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this process alone; False if another has it."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file; False if somebody else has it. Raises OSError where there are no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
