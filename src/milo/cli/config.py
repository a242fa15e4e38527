"""Settings from the `[tool.milo]` table of the nearest pyproject.toml."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from milo.errors import TargetError

__all__ = ["Config", "load_config"]

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "target": (str, 'text such as "build.py:pipeline"'),
    "jobs": (int, "a whole number of at least 1"),
    "executor": (str, '"threads", "processes", "dask" or "dask:tcp://host:port"'),
    "keep_going": (bool, "true or false"),
    "grace": ((int, float), "a number of seconds of at least 0"),
    "plain": (bool, "true or false"),
    "tui": (bool, "true or false"),
    "quiet": (bool, "true or false"),
    "color": (bool, "true or false"),
    "mask": (list, "a list of names of environment variables"),
    "journal": (str, 'a path, or "off"'),
    "durability": (str, '"process" or "power"'),
    "keep": (int, "a whole number of at least 1"),
}


@dataclass(frozen=True)
class Config:
    """The table's values; None where it says nothing.

    Attributes:
        folder: Where the pyproject.toml stands; a target's file is relative to it.
    """

    folder: Path | None = None
    target: str | None = None
    jobs: int | None = None
    executor: str | None = None
    keep_going: bool | None = None
    grace: float | None = None
    plain: bool | None = None
    tui: bool | None = None
    quiet: bool | None = None
    color: bool | None = None
    mask: tuple[str, ...] | None = None
    journal: str | None = None
    durability: str | None = None
    keep: int | None = None


def load_config(start: Path) -> Config:
    """Read `[tool.milo]` from the pyproject.toml in `start` or the nearest folder above it.

    Raises:
        TargetError: The file is no TOML, or the table holds an unknown key or a value of the wrong kind.
    """
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _read(path)
    return Config()


def _read(path: Path) -> Config:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}.") from error
    tool = document.get("tool", {})
    table = tool.get("milo", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise TargetError(
            f"{path}: tool.milo must be a table, not {table!r}.", hint="Write it as [tool.milo]."
        )
    for key, value in table.items():
        _check(path, key, value)
    return Config(folder=path.parent, **table)


def _check(path: Path, key: str, value: Any) -> None:
    if key not in _TYPES:
        known = [field.name for field in fields(Config) if field.name != "folder"]
        near = difflib.get_close_matches(key.replace("-", "_"), known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
        raise TargetError(f"{path}: [tool.milo] has an unknown key {key!r}.", hint=hint)
    kind, wanted = _TYPES[key]
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if key == "durability":
        fits = fits and value in ("process", "power")
    if key in ("jobs", "keep"):
        fits = fits and value >= 1
    if key == "mask":
        fits = fits and all(isinstance(name, str) for name in value)
    if key == "grace":
        fits = fits and math.isfinite(value) and value >= 0
    if not fits:
        raise TargetError(f"{path}: [tool.milo] {key} must be {wanted}, not {value!r}.")
