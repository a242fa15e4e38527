"""Where a journal may stand, and how its companions are called."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.journal.errors import JournalError
from milo.journal.location import (
    Identity,
    default_path,
    is_default,
    locks_folder,
    logs_folder,
    prepare,
    safe_name,
)


def test_default_folder(tmp_path: Path) -> None:
    """The default folder is for its owner alone, and keeps itself out of version control."""
    path = default_path(tmp_path)
    assert path == tmp_path / ".milo" / "runs.db"
    assert is_default(path)
    prepare(path)
    prepare(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert logs_folder(path) == path.parent / "logs"
    assert locks_folder(path).parent == path.parent


def test_own_gitignore_stays(tmp_path: Path) -> None:
    """A .gitignore that somebody changed is left alone."""
    path = default_path(tmp_path)
    prepare(path)
    (path.parent / ".gitignore").write_text("x\n")
    prepare(path)
    assert (path.parent / ".gitignore").read_text() == "x\n"


def test_other_places(tmp_path: Path) -> None:
    """Elsewhere the folder is made, and nothing else."""
    path = tmp_path / "a" / "b" / "x.db"
    prepare(path)
    assert list(path.parent.iterdir()) == []
    assert not is_default(path)


def test_not_a_file(tmp_path: Path) -> None:
    """A folder, a device, a pipe and a file in the place of the folder are refused in words."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    for path, words in [
        (tmp_path, "it is a folder"),
        (Path("/dev/null"), "it is a device"),
        (tmp_path / "pipe", "not a plain file"),
        (tmp_path / "file" / "x.db", "not a folder"),
    ]:
        with pytest.raises(JournalError, match=words):
            prepare(path)


def test_default_folder_is_a_file(tmp_path: Path) -> None:
    """A file called .milo is refused in words."""
    (tmp_path / ".milo").write_text("x")
    with pytest.raises(JournalError, match="is not a folder"):
        prepare(default_path(tmp_path))


@given(st.text(st.characters(codec=None), min_size=1, max_size=40))
def test_safe_name(name: str) -> None:
    """Any name becomes one plain file name, never hidden, never a path."""
    found = safe_name(name)
    assert found.isascii()
    assert found.isprintable()
    assert not set(found) & set('/\\:*?"<>| ~')
    assert found not in ("", ".", "..")
    assert not found.startswith(".")


def test_names_stay_readable() -> None:
    """Ordinary names are what they were."""
    assert safe_name("render-page_1.html") == "render-page_1.html"
    assert safe_name("a/b c") == "a%2Fb%20c"
    assert safe_name("../x") == "%2E.%2Fx"
    assert len(safe_name("é" * 500)) <= 180


def test_identity(tmp_path: Path) -> None:
    """A file that is deleted or replaced is noticed; one that is only written is not."""
    path = tmp_path / "x.db"
    path.write_text("a")
    identity = Identity(path)
    path.write_text("b")
    identity.check()
    (tmp_path / "new").write_text("c")
    os.replace(tmp_path / "new", path)
    with pytest.raises(JournalError, match="replaced"):
        identity.check()
    path.unlink()
    with pytest.raises(JournalError, match="deleted"):
        identity.check()
