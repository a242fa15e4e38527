"""Scratch: a folder for what is written during a run; one that a run which was killed has left goes with the next."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from contextlib import suppress

from milo.file_lock import try_lock

__all__ = ["Scratch"]


class Scratch:
    """A folder for temporary files. Not on Windows.

    It is locked for as long as this process uses it, so that others find those that nobody uses any more.

    Args:
        prefix: Begins its name; folders of that name which nobody uses are removed.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, prefix: str) -> None:
        for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{glob.escape(prefix)}*")):
            with suppress(OSError):  # somebody else's, or gone meanwhile
                _remove_unused(path)
        while True:
            self.path = tempfile.mkdtemp(prefix=prefix)
            self._lock = os.open(self.path, os.O_RDONLY)
            if self._kept():
                return
            os.close(self._lock)

    def _kept(self) -> bool:
        """Whether it is there: somebody who looks for those that nobody uses may have come before the lock."""
        try:
            return try_lock(self._lock) and os.path.isdir(self.path)
        except OSError:
            return True  # a file system without locks: nobody removes anything there

    def remove(self) -> None:
        """Remove it with what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_unused(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid == os.getuid() and try_lock(descriptor):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
