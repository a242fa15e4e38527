"""The complete output of each phase in a plain file: every line as it came, without colours."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from milo.journal.errors import explained
from milo.journal.location import logs_folder, safe_name
from milo.text import strip_sgr

__all__ = ["OutputFiles", "output_path"]

_OPEN: Final = 32
_SUFFIX: Final = ".log"


def output_path(journal: Path, run: str, names: Sequence[str], name: str) -> Path:
    """Where the output of the phase `name` of a run stands.

    Args:
        journal: The journal's file.
        run: The run's name.
        names: All phases in declared order; some systems do not tell large letters from small ones in file names.
        name: The phase.
    """
    return logs_folder(journal) / safe_name(run) / _file_names(names)[name]


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """A file name for each phase, no two of which are the same in small letters."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name in names:
        base = safe_name(name)
        count = counts[base.casefold()] = counts.get(base.casefold(), 0) + 1
        # No encoded name has a tilde in it.
        found[name] = f"{base}~{count}{_SUFFIX}" if count > 1 else base + _SUFFIX
    return found


class OutputFiles:
    """The output files of one run; only a few are open at a time.

    Args:
        journal: The journal's file.
        run: The run's name.
        names: All phases in declared order.
    """

    def __init__(self, journal: Path, run: str, names: Sequence[str]) -> None:
        self._folder = logs_folder(journal) / safe_name(run)
        self._names = names
        self._files: dict[str, str] = {}
        self._open: OrderedDict[str, int] = OrderedDict()

    def path(self, name: str) -> Path:
        """Where the output of a phase stands, or would."""
        if not self._files:
            self._files = _file_names(self._names)
        return self._folder / self._files[name]

    def write(self, name: str, lines: Sequence[str]) -> None:
        """Add lines to the file of a phase.

        Raises:
            JournalError: They cannot be written.
        """
        path = self.path(name)
        try:
            descriptor = self._descriptor(path)
            text = strip_sgr("\n".join(lines))
            _write_all(descriptor, text.encode("utf-8", "backslashreplace") + b"\n")
        except OSError as error:
            raise explained(error, path, "written") from None

    def _descriptor(self, path: Path) -> int:
        key = path.name
        descriptor = self._open.get(key)
        if descriptor is not None:
            self._open.move_to_end(key)
            return descriptor
        if len(self._open) >= _OPEN:
            os.close(self._open.popitem(last=False)[1])
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            # Made with the first line: a run without output leaves nothing behind.
            self._folder.parent.mkdir(mode=0o700, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, flags, 0o666)
        self._open[key] = descriptor
        return descriptor

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            os.close(self._open.popitem()[1])


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
