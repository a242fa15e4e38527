"""The TARGET of a command line: which one is meant, and what it says before anything is loaded."""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from milo.cli.config import Config
from milo.errors import TargetError

__all__ = [
    "DEFAULT_NAME",
    "FORMS",
    "Target",
    "check_target",
    "choose_target",
    "existing_file",
    "is_folder",
    "parse_target",
    "resolved",
    "short_path",
]

DEFAULT_NAME = "pipeline"
_DEFAULT_FILE = "pipeline.py"
FORMS = "Write file.py, file.py:name, module or module:name."


@dataclass(frozen=True)
class Target:
    """A file or a module, and the name in it."""

    source: str
    name: str
    is_file: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


def choose_target(
    words: Sequence[str], config: Config, cwd: Path, env_target: str = ""
) -> tuple[str, list[str]]:
    """Tell which TARGET is meant, and which words are phases.

    Args:
        words: What was given on the command line, a target first or phases only.
        config: The settings; its target counts when no target was given.
        cwd: The working directory, whose ``pipeline.py`` is the last resort.
        env_target: A target from the environment; comes before the configuration's.

    Raises:
        TargetError: No target was given and there is none to fall back on, or that one cannot be meant.
    """
    default, source = _default_target(config, cwd, env_target)
    if words and (not default or _looks_like_target(words[0], cwd)):
        return words[0], list(words[1:])
    if not default:
        raise TargetError(
            "No TARGET was given, and there is neither a target in [tool.milo] nor a pipeline.py here.",
            hint="Name a file such as build.py, or let `milo init` write a pipeline.py.",
        )
    if source:
        try:
            check_target(default)
        except TargetError as error:
            # Nobody has typed it just now.
            raise TargetError(f"{source}: {error.message}", hint=error.hint) from error
    return default, list(words)


def _default_target(config: Config, cwd: Path, env_target: str) -> tuple[str, str]:
    """The target that counts where none is given, and what names it; "" for the file that is simply here."""
    if env_target:
        return env_target, "MILO_TARGET"
    if config.target is not None and config.folder is not None:
        path, colon, name = _split(config.target)
        text = f"{config.folder / path}{colon}{name}" if path.endswith(".py") else config.target
        return text, f"{config.folder / 'pyproject.toml'}: [tool.milo] target"
    return (_DEFAULT_FILE if (cwd / _DEFAULT_FILE).is_file() else ""), ""


def _looks_like_target(word: str, cwd: Path) -> bool:
    if ":" in word or "." in word or os.sep in word:
        return True
    # Only modules that live here: `milo run test` means a phase, not the standard library's package.
    return (cwd / f"{word}.py").is_file() or (cwd / word / "__init__.py").is_file()


def resolved(text: str) -> str:
    """A TARGET written so that it means the same from every folder, as far as a module's name can."""
    target = parse_target(text)
    source = str(Path(target.source).absolute()) if target.is_file else target.source
    return f"{source}:{target.name}"


def check_target(text: str) -> None:
    """Refuse a TARGET that cannot be meant, without loading it. Raises TargetError."""
    target = parse_target(text)
    if not target.name.isidentifier():
        raise TargetError(f"{text!r} is no TARGET: {target.name!r} is no name.", hint=FORMS)
    if target.is_file:
        existing_file(target)
        return
    top = target.source.partition(".")[0]
    if not top.isidentifier() or not _is_module(top):
        raise TargetError(f"There is no module {target.source!r}.", hint="Write file.py for a file.")


def _is_module(name: str) -> bool:
    # Searched without being put on the path: nothing of the project is to stand in for what this process still imports.
    if PathFinder.find_spec(name, [str(Path.cwd())]) is not None:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return False  # loaded, and of no file: the program that runs


def _split(text: str) -> tuple[str, str, str]:
    # A Windows path has a colon after its drive.
    drive, rest = os.path.splitdrive(text)
    source, colon, name = rest.rpartition(":")
    return (drive + source, colon, name) if colon else (text, "", "")


def parse_target(text: str) -> Target:
    """Take a TARGET apart. Raises TargetError when it is none."""
    source, colon, name = _split(text)
    if not source or (colon and not name):
        raise TargetError(f"{text!r} is no TARGET.", hint=FORMS)
    is_file = source.endswith(".py") or os.sep in source or source in (os.curdir, os.pardir)
    return Target(source, name or DEFAULT_NAME, is_file)


def existing_file(target: Target) -> Path:
    """The file of a target. Raises TargetError, with what may be meant, when there is none."""
    path = Path(target.source).absolute()
    if path.is_dir():
        raise is_folder(target)
    if not path.is_file():
        raise TargetError(
            f"There is no file {target.source}." if not path.exists() else f"{target.source} is not a file.",
            hint=_near_files(path),
        )
    return path


def short_path(filename: str) -> str:
    """A path as it is from the working directory, for what is in it."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative


def is_folder(target: Target) -> TargetError:
    """The error of a target that is a folder."""
    example = os.path.join(target.source, _DEFAULT_FILE)
    return TargetError(f"{target.source} is a folder.", hint=f"Name a file in it, such as {example}.")


def _near_files(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix == ".py")
    except OSError:
        return f"There is no folder {short_path(str(path.parent))} either."
    near = difflib.get_close_matches(path.name, names, 1)
    return f"Did you mean {near[0]!r}?" if near else "`milo init` writes a pipeline.py to start from."
