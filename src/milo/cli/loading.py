"""Loading: from a TARGET to the pipeline that it names, or to one clear line of what is wrong with it."""

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
from pathlib import Path
from types import ModuleType
from typing import Any

from milo.cli.parameters import arguments, parse
from milo.cli.target import (
    DEFAULT_NAME,
    FORMS,
    Target,
    existing_file,
    is_folder,
    parse_target,
    short_path,
)
from milo.errors import MiloError, TargetError
from milo.execution.given import mark_given
from milo.pipeline import Pipeline

__all__ = ["load_pipeline"]


def load_pipeline(text: str, pairs: Sequence[str] = ()) -> Pipeline:
    """Load the pipeline that a TARGET names.

    Args:
        text: ``file.py``, ``file.py:name``, ``module`` or ``module:name``.
        pairs: ``name=value`` texts for a function that makes the pipeline.

    Raises:
        TargetError: It cannot be found or imported, or what it names is no pipeline and makes none.
    """
    target = parse_target(text)
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


def _load_file(target: Target) -> ModuleType:
    path = existing_file(target)
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


def _load_module(target: Target) -> ModuleType:
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
            raise TargetError(f"{target.source!r} is no name of a module.", hint=FORMS) from error
        raise


def _guarded(target: Target, load: Callable[[], Any]) -> Any:
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
        place = short_path(error.filename or target.source) + (f":{error.lineno}" if error.lineno else "")
        raise TargetError(f"{place}: {type(error).__name__}: {error.msg}.") from error
    except MiloError as error:
        raise TargetError(f"{_where(error, target)}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = f": {error}" if str(error) else ""
        raise TargetError(f"{_where(error, target)}: {type(error).__name__}{text}") from error


def _where(error: BaseException, target: Target) -> str:
    """Name the last line that is the user's: not one of milo's, nor of the import machinery's, nor of no file."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", own))
    ]
    # Where it went wrong inside a library helps less than the user's line that called it.
    mine = [frame for frame in frames if not _library(frame.filename)] or frames
    return f"{short_path(mine[-1].filename)}:{mine[-1].lineno}" if mine else target.source


def _library(filename: str) -> bool:
    standard = os.path.dirname(os.__file__) + os.sep
    return "site-packages" in filename or filename.startswith(standard)


def _find(module: ModuleType, target: Target) -> Any:
    if hasattr(module, target.name):
        return getattr(module, target.name)
    if getattr(module, "__file__", None) is None and hasattr(module, "__path__"):
        # A folder without __init__.py can be imported, and is empty.
        raise is_folder(target)
    raise TargetError(f"{target.source} has no {target.name!r}.", hint=_others(module, target.name))


def _others(module: ModuleType, name: str = "") -> str:
    names = [key for key, value in vars(module).items() if isinstance(value, Pipeline)]
    names += [
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and (key == DEFAULT_NAME or value.__annotations__.get("return") in (Pipeline, "Pipeline"))
    ]
    if not names:
        return "It holds no Pipeline; write `pipeline = Pipeline(...)` in it."
    near = difflib.get_close_matches(name, names, 1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    return f"{suggestion}Its pipelines: {', '.join(names)}."


def _import_from(folder: Path) -> None:
    """Let modules be found in `folder`, before all others."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
