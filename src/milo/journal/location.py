"""Where a journal and what belongs to it stand on the disk, and what may not be used as one."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from milo.journal.errors import JournalError, explained
from milo.journal.faults import reached

__all__ = [
    "Identity",
    "companions",
    "default_path",
    "is_default",
    "locks_folder",
    "logs_folder",
    "prepare",
    "require_file",
    "safe_name",
]

_FOLDER: Final = ".milo"
_FILE: Final = "runs.db"
_MAX_NAME: Final = 180


def default_path(cwd: Path) -> Path:
    """The journal of the runs that are started in the folder `cwd`."""
    return cwd / _FOLDER / _FILE


def is_default(path: Path) -> bool:
    """Whether a journal stands where only milo puts anything."""
    return path.name == _FILE and path.parent.name == _FOLDER


def logs_folder(path: Path) -> Path:
    """Where the complete output of the phases stands, a folder a run."""
    return path.parent / "logs"


def locks_folder(path: Path) -> Path:
    """Where the files stand that say who is at work on a run."""
    return path.with_name(path.name + ".locks")


def companions(path: Path) -> tuple[Path, ...]:
    """The files that SQLite keeps beside a database."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def prepare(path: Path) -> None:
    """See to it that the journal's folder is there and that the file can be a journal.

    Raises:
        JournalError: It cannot be made, or the path names something else than a file.
    """
    folder = path.parent
    try:
        if is_default(path):
            _prepare_default(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
        require_file(path)
    except OSError as error:
        raise explained(error, path, "opened") from None
    reached("folder made")


def _prepare_default(folder: Path) -> None:
    # Results and output of the runs stand in it: for the user's own eyes, and not for version control.
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not folder.is_dir():
        raise JournalError(
            f"{folder} is not a folder.", hint="Move it away, or choose another place with --journal PATH."
        )
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def require_file(path: Path) -> None:
    """Refuse what exists and is no plain file.

    Raises:
        JournalError: The path names a folder, a device or the like.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise explained(error, path, "opened") from None
    if not stat.S_ISREG(mode):
        what = (
            "a folder"
            if stat.S_ISDIR(mode)
            else "a device"
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
            else ""
        )
        raise JournalError(
            f"{path} cannot be a journal: it is {what or 'not a plain file'}.",
            hint="Name a file with --journal PATH, which is made if it does not exist.",
        )


def safe_name(name: str, limit: int = _MAX_NAME) -> str:
    """A name of a phase or a run as the name of a file: percent-encoded, never hidden, never a path."""
    text = quote(name.encode("utf-8", "surrogatepass"), safe=" ").replace(" ", "%20").replace("~", "%7E")
    if text.startswith("."):
        text = "%2E" + text[1:]
    return text[:limit]


class Identity:
    """Which file a path names, so as to notice when it is deleted or replaced.

    Args:
        path: The file, which exists.
    """

    __slots__ = ("_path", "_seen")

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._seen = self._look()

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def check(self) -> None:
        """Raise JournalError if the path no longer names this file."""
        seen = self._look()
        if seen is None or seen != self._seen:
            what = "deleted" if seen is None else "replaced by another file"
            raise JournalError(
                f"The journal {self._path} was {what} while the run went on.",
                hint="What is recorded from here on would be lost; start the run again to have it recorded.",
            )
