"""The output folder: whole files only, never outside it, and nothing removed that was not made here."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from sitebuilder.model import SiteError

MANIFEST = ".site-manifest.json"


class Output:
    """A folder that remembers in a manifest which of its files are this builder's."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def claim(self, names: Collection[str]) -> None:
        """Note `names` as this builder's before a byte is written, so that a crash leaves no stray file.

        Raises SiteError when someone else's file stands in the way.
        """
        if self.root.exists() and not self.root.is_dir():
            raise SiteError(f"The output {self.root} is not a folder. Give another: -p output=FOLDER")
        owned = self._owned()
        if not (self.root / MANIFEST).is_file() and self.root.is_dir() and any(self.root.iterdir()):
            raise SiteError(
                f"The output folder {self.root} holds files that this builder did not write. "
                "Give an empty folder or a new one: -p output=FOLDER"
            )
        for name in names:
            path = self._path(name)
            if name not in owned and os.path.lexists(path):
                raise SiteError(
                    f"{path} was not written by this builder. Move it away, or give another output."
                )
        self._note(owned | set(names))

    def write(self, name: str, text: str) -> bool:
        """Write a text as one step; True when it changed anything."""
        path, data = self._path(name), text.encode("utf-8", "replace")
        if path.is_file() and path.read_bytes() == data:
            return False
        self._replace(path, lambda temporary: temporary.write_bytes(data))
        return True

    def copy(self, source: Path, name: str) -> None:
        """Copy a file as one step."""
        self._replace(self._path(name), lambda temporary: shutil.copyfile(source, temporary))

    def settle(self, names: Collection[str]) -> list[str]:
        """Remove what an earlier build wrote and this one did not; give the names removed."""
        stale = sorted(self._owned() - set(names))
        for name in stale:
            path = self._path(name)
            if path.is_file() or path.is_symlink():
                path.unlink()
            self._remove_empty_folders(path.parent)
        self._note(set(names))
        return stale

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        path = self.root.joinpath(*parts)
        inside = bool(parts) and ".." not in parts and path.parent.resolve().is_relative_to(self.root)
        if not inside:
            raise SiteError(
                f"{name!r} would lie outside the output folder {self.root}: nothing was written there."
            )
        return path

    def _replace(self, path: Path, fill: Callable[[Path], object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        os.close(handle)
        try:
            fill(Path(temporary))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _owned(self) -> set[str]:
        try:
            names = json.loads((self.root / MANIFEST).read_text(encoding="utf-8"))["files"]
        except FileNotFoundError:
            return set()
        except (ValueError, TypeError, KeyError) as error:
            raise SiteError(
                f"{self.root / MANIFEST} cannot be read ({error}). Remove the output folder."
            ) from error
        return {str(name) for name in names}

    def _note(self, names: set[str]) -> None:
        text = json.dumps({"files": sorted(names)}, indent=0) + "\n"
        self._replace(self.root / MANIFEST, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder != self.root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
