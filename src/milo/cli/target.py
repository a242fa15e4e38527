"""From the TARGET of a command line to the pipeline it names."""

from __future__ import annotations

import asyncio
import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from milo.cli.config import Config
from milo.cli.parameters import arguments, parse
from milo.errors import MiloError, TargetError
from milo.execution.given import mark_given
from milo.pipeline import Pipeline

__all__ = ["check_target", "choose_target", "load_pipeline", "resolved"]

_DEFAULT_NAME = "pipeline"
_DEFAULT_FILE = "pipeline.py"
_FORMS = "Write file.py, file.py:name, module or module:name."


@dataclass(frozen=True)
class _Target:
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
    target = _parse(text)
    source = str(Path(target.source).absolute()) if target.is_file else target.source
    return f"{source}:{target.name}"


def check_target(text: str) -> None:
    """Refuse a TARGET that cannot be meant, without loading it. Raises TargetError."""
    target = _parse(text)
    if not target.name.isidentifier():
        raise TargetError(f"{text!r} is no TARGET: {target.name!r} is no name.", hint=_FORMS)
    if target.is_file:
        _existing_file(target)
        return
    _import_from(Path.cwd())
    top = target.source.partition(".")[0]
    if not top.isidentifier() or not _is_module(top):
        raise TargetError(f"There is no module {target.source!r}.", hint="Write file.py for a file.")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return False  # loaded, and of no file: the program that runs


def load_pipeline(text: str, pairs: Sequence[str] = ()) -> Pipeline:
    """Load the pipeline that a TARGET names.

    Args:
        text: ``file.py``, ``file.py:name``, ``module`` or ``module:name``.
        pairs: ``name=value`` texts for a function that makes the pipeline.

    Raises:
        TargetError: It cannot be found or imported, or what it names is no pipeline and makes none.
    """
    target = _parse(text)
    given = parse(pairs)
    module = _guarded(target, lambda: _load_file(target) if target.is_file else _load_module(target))
    found = _find(module, target)
    if isinstance(found, Pipeline):
        if given:
            raise TargetError(
                f"{target} is a pipeline and takes no parameters, but {next(iter(given))!r} was given.",
                hint="Make it a function that returns the pipeline to give it parameters.",
            )
        return found
    if not callable(found):
        raise TargetError(
            f"{target} is neither a Pipeline nor a function that returns one, but {_kind(found)}.",
            hint=_others(module),
        )
    positional, keywords = arguments(found, given)
    made = _guarded(target, lambda: _made(found(*positional, **keywords)))
    if not isinstance(made, Pipeline):
        raise TargetError(
            f"{target} returned {_kind(made)}, not a Pipeline.", hint="Let it return the Pipeline."
        )
    return made


def _made(value: Any) -> Any:
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def _kind(value: object) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def _split(text: str) -> tuple[str, str, str]:
    # A Windows path has a colon after its drive.
    drive, rest = os.path.splitdrive(text)
    source, colon, name = rest.rpartition(":")
    return (drive + source, colon, name) if colon else (text, "", "")


def _parse(text: str) -> _Target:
    source, colon, name = _split(text)
    if not source or (colon and not name):
        raise TargetError(f"{text!r} is no TARGET.", hint=_FORMS)
    is_file = source.endswith(".py") or os.sep in source or source in (os.curdir, os.pardir)
    return _Target(source, name or _DEFAULT_NAME, is_file)


def _load_file(target: _Target) -> ModuleType:
    path = _existing_file(target)
    _import_from(path.parent)
    name = path.stem
    if name in sys.modules or name in sys.stdlib_module_names or not name.isidentifier():
        # A build.py or site.py must not stand in for the module of that name that somebody else imports.
        name = f"milo_target_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{target.source} cannot be imported.", hint="A pipeline stands in a .py file.")
    module = importlib.util.module_from_spec(spec)
    mark_given(module)
    # Dataclasses and pickle look for the module by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _existing_file(target: _Target) -> Path:
    path = Path(target.source).absolute()
    if path.is_dir():
        raise _is_folder(target)
    if not path.is_file():
        raise TargetError(
            f"There is no file {target.source}." if not path.exists() else f"{target.source} is not a file.",
            hint=_near_files(path),
        )
    return path


def _load_module(target: _Target) -> ModuleType:
    _import_from(Path.cwd())
    try:
        return importlib.import_module(target.source)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if target.source == missing or target.source.startswith(f"{missing}."):
            raise TargetError(
                f"There is no module {target.source!r}.",
                hint="Write file.py for a file. If it is a phase, name the target before it.",
            ) from error
        raise
    except (TypeError, ValueError) as error:
        if target.source.startswith(".") or not target.source:
            raise TargetError(f"{target.source!r} is no name of a module.", hint=_FORMS) from error
        raise


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _guarded(target: _Target, load: Callable[[], Any]) -> Any:
    """Run the user's code, and say where it raised instead of showing a traceback."""
    try:
        return load()
    except TargetError:
        raise
    except SystemExit as error:
        raise TargetError(
            f"{_where(error, target)}: it called exit ({error.code}) while it was loaded.",
            hint='Keep what a script does under `if __name__ == "__main__":`.',
        ) from error
    except SyntaxError as error:
        place = _short(error.filename or target.source) + (f":{error.lineno}" if error.lineno else "")
        raise TargetError(f"{place}: {type(error).__name__}: {error.msg}.") from error
    except MiloError as error:
        raise TargetError(f"{_where(error, target)}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = f": {error}" if str(error) else ""
        raise TargetError(f"{_where(error, target)}: {type(error).__name__}{text}") from error


def _where(error: BaseException, target: _Target) -> str:
    """Name the last line that is the user's: not one of milo's, nor of the import machinery's, nor of no file."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", own))
    ]
    # Where it went wrong inside a library helps less than the user's line that called it.
    mine = [frame for frame in frames if not _library(frame.filename)] or frames
    return f"{_short(mine[-1].filename)}:{mine[-1].lineno}" if mine else target.source


def _library(filename: str) -> bool:
    standard = os.path.dirname(os.__file__) + os.sep
    return "site-packages" in filename or filename.startswith(standard)


def _short(filename: str) -> str:
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative


def _find(module: ModuleType, target: _Target) -> Any:
    if hasattr(module, target.name):
        return getattr(module, target.name)
    if getattr(module, "__file__", None) is None and hasattr(module, "__path__"):
        # A folder without __init__.py can be imported, and is empty.
        raise _is_folder(target)
    raise TargetError(f"{target.source} has no {target.name!r}.", hint=_others(module, target.name))


def _others(module: ModuleType, name: str = "") -> str:
    names = [key for key, value in vars(module).items() if isinstance(value, Pipeline)]
    names += [
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and (key == _DEFAULT_NAME or value.__annotations__.get("return") in (Pipeline, "Pipeline"))
    ]
    if not names:
        return "It holds no Pipeline; write `pipeline = Pipeline(...)` in it."
    near = difflib.get_close_matches(name, names, 1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    return f"{suggestion}Its pipelines: {', '.join(names)}."


def _is_folder(target: _Target) -> TargetError:
    example = os.path.join(target.source, _DEFAULT_FILE)
    return TargetError(f"{target.source} is a folder.", hint=f"Name a file in it, such as {example}.")


def _near_files(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix == ".py")
    except OSError:
        return f"There is no folder {_short(str(path.parent))} either."
    near = difflib.get_close_matches(path.name, names, 1)
    return f"Did you mean {near[0]!r}?" if near else "`milo init` writes a pipeline.py to start from."
