"""Word beside a journal that a run cannot be resumed: left when the journal itself can no longer be written."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from milo.journal.location import locks_folder, safe_name

__all__ = ["drop_note", "leave_note", "note_of"]

_SUFFIX: Final = "~broken"  # no encoded name of a run has a tilde in it


def leave_note(journal: Path, run: str, text: str) -> None:
    """Say that actions of a run are missing, and why, as far as that is possible."""
    with contextlib.suppress(OSError):
        file = _file(journal, run)
        # That it is there says enough: on a full disk an empty file can still be made.
        file.touch()
        file.write_text(text, "utf-8")


def note_of(journal: Path, run: str) -> str:
    """Why actions of a run are missing; "" when nobody said that any are."""
    try:
        return _file(journal, run).read_text("utf-8", "replace") or "its journal failed"
    except OSError:
        return ""


def drop_note(journal: Path, run: str) -> None:
    """Take the word back, once the journal says it itself or the run is gone."""
    with contextlib.suppress(OSError):
        _file(journal, run).unlink(missing_ok=True)


def _file(journal: Path, run: str) -> Path:
    return locks_folder(journal) / (safe_name(run) + _SUFFIX)
