"""What can go wrong with a journal, in words: faults of disks, files and SQLite as one kind of error."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Final

from milo.errors import MiloError
from milo.text import safe_line

__all__ = [
    "CodecError",
    "DamagedError",
    "EmptyError",
    "HeldError",
    "JournalError",
    "TooLargeError",
    "explained",
]


class JournalError(MiloError):
    """A journal cannot be opened, written or read."""

    code = "journal"


class CodecError(JournalError, ValueError):
    """A value cannot be kept, or what was kept cannot be understood."""

    code = "codec"


class TooLargeError(CodecError):
    """A value takes more room than it may."""


class DamagedError(JournalError):
    """A journal, or a part of it, is not what was written."""

    code = "damaged"


class EmptyError(JournalError):
    """There is no journal yet, or nothing in it: whoever records a run makes it."""


class HeldError(JournalError):
    """Another process is at work on the same run.

    Attributes:
        pid: Its process id; 0 where the system does not tell.
        host: The machine it runs on; "" where it is not known.
    """

    code = "held"

    def __init__(self, message: str, *, hint: str = "", pid: int = 0, host: str = "") -> None:
        super().__init__(message, hint=hint)
        self.pid = pid
        self.host = host


_MAKE_ROOM: Final = "Make room on the disk."
_OTHER_PLACE: Final = "Choose another place with --journal PATH, or run with --no-journal."

# SQLite's primary result codes: the module has names for them only since some versions.
_SQLITE: Final = {
    3: ("no permission", _OTHER_PLACE),
    5: ("another program keeps it locked", "End that program, or choose another place with --journal PATH."),
    6: ("another program keeps it locked", "End that program, or choose another place with --journal PATH."),
    7: ("out of memory", ""),
    8: ("it, or its folder, is read-only", _OTHER_PLACE),
    10: ("the disk reports an error", "Look at the disk's health and at the system's log."),
    13: ("the disk is full", _MAKE_ROOM),
    14: ("it cannot be opened or created there", _OTHER_PLACE),
    18: ("a row is too large", ""),
    19: ("another process writes to the same run", "Let that one finish, and then resume the run."),
}
_NOT_A_DATABASE: Final = 26
_ERRNO: Final = {
    errno.ENOSPC: ("the disk is full", _MAKE_ROOM),
    errno.EDQUOT: ("the disk quota is used up", _MAKE_ROOM),
    errno.EFBIG: ("the limit on file sizes is reached", "Raise the limit (ulimit -f)."),
    errno.EACCES: ("no permission", _OTHER_PLACE),
    errno.EPERM: ("no permission", _OTHER_PLACE),
    errno.EROFS: ("the file system is read-only", _OTHER_PLACE),
    errno.EIO: ("the disk reports an error", "Look at the disk's health and at the system's log."),
    errno.ENOTDIR: ("a part of its path is not a folder", _OTHER_PLACE),
    errno.EEXIST: ("a part of its path is not a folder", _OTHER_PLACE),
    errno.ENOENT: ("its folder does not exist", "Create the folder, or name another place."),
}


def explained(error: BaseException, path: str | os.PathLike[str], doing: str) -> JournalError:
    """An error of SQLite or the operating system as a JournalError that a person can act on.

    Args:
        error: What was raised; a JournalError comes back as it is.
        path: The file that it is about.
        doing: What failed: "written", "read" or "opened".
    """
    if isinstance(error, JournalError):
        return error
    if isinstance(error, sqlite3.Error):
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in _SQLITE:
            why, hint = _SQLITE[code]
            return JournalError(f"The journal {_shown(path)} cannot be {doing}: {why}.", hint=hint)
        # Anything else that a statement of ours meets has its cause in the file: a table is missing, a text is none.
        if code == _NOT_A_DATABASE:
            return DamagedError(
                f"The journal {_shown(path)} is not a database.",
                hint="Name another file with --journal PATH.",
            )
        return DamagedError(f"The journal {_shown(path)} is damaged: {safe_line(str(error))}.")
    if isinstance(error, OSError):
        why, hint = _ERRNO.get(error.errno or 0, (error.strerror or type(error).__name__, ""))
        return JournalError(f"{_shown(error.filename or path)} cannot be {doing}: {why}.", hint=hint)
    return DamagedError(f"The journal {_shown(path)} is damaged: {safe_line(str(error))}.")


def _shown(path: object) -> str:
    return (
        safe_line(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else safe_line(str(path))
    )
