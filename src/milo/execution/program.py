"""Program: how a process that the run starts finds the modules of the program that it works for."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from milo.errors import StateError
from milo.execution.given import is_given

__all__ = [
    "FilesByName",
    "Unpickler",
    "adopt_program",
    "files_by_name",
    "main_is_lost",
    "program_here",
    "refuse_while_importing_main",
    "start_process",
]

_MAIN = ("__main__", "__mp_main__")
# The run's import path may lead to anybody's `queue.py`: it counts once milo's own modules are loaded.
_START = (
    "import sys; sys.path[:] = [*filter(None, sys.path), *sys.argv[2:]]; "
    "from {module} import main; sys.path[:] = sys.argv[2:]; main(int(sys.argv[1]))"
)
_importing_main = False


def start_process(
    module: str, descriptor: int, *, stdout: Any, stderr: Any, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a clean interpreter with this one's import path, in a session of its own.

    Args:
        module: A module of milo's; its ``main(descriptor)`` is called.
        descriptor: A descriptor that it is told of.
        stdout: As for Popen.
        stderr: As for Popen.
        descriptors: What else it inherits.

    Raises:
        OSError: It cannot be started.
    """
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return subprocess.Popen(
        [sys.executable, *flags, "-c", _START.format(module=module), str(descriptor), *sys.path],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=(descriptor, *descriptors),
        start_new_session=True,
    )


def program_here(name: str) -> dict[str, Any]:
    """What a new process has to know of this one; it can be pickled, and is for `adopt_program`."""
    # Not for the worker, which starts the sooner without.
    from multiprocessing.spawn import get_preparation_data

    found = get_preparation_data(name)
    main = {key: found[key] for key in ("init_main_from_name", "init_main_from_path") if key in found}
    return {"argv": sys.argv, "main": main or None, "files": files_by_name()}


def main_is_lost() -> str:
    """Why a new process cannot load this one's main module; empty if it can."""
    from multiprocessing.process import ORIGINAL_DIR  # type: ignore[attr-defined]

    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None:
        # What stands in such a file would run when it is loaded, so `multiprocessing` leaves it alone.
        lost = name == "__main__" or name.endswith(".__main__")
        return "it was defined in a __main__.py, which no other process loads" if lost else ""
    file = getattr(main, "__file__", None)
    found = file is not None and os.path.isfile(os.path.join(ORIGINAL_DIR or "", file))
    return "" if found else "it was not defined in a file"  # but typed, or read from stdin


def adopt_program(told: dict[str, Any]) -> None:
    """Find what the process that told this finds; its main module is loaded when something of it is asked for."""
    sys.argv[:] = told["argv"]
    Unpickler.main = told["main"]
    sys.meta_path.append(FilesByName(told["files"]))


def refuse_while_importing_main() -> None:
    """Raise StateError where a program without a main guard would start itself over and over."""
    if _importing_main:
        raise StateError(
            "A run was started while a worker process was loading the program that it belongs to.",
            hint='Start it under `if __name__ == "__main__":`.',
        )


class FilesByName:
    """Finds modules that the run's process has loaded from files which no import path leads to."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        file = self._files.get(name)
        return importlib.util.spec_from_file_location(name, file) if file is not None else None


class Unpickler(pickle.Unpickler):
    """Loads the run's program when something of it is asked for, and not before."""

    main: dict[str, Any] | None = None

    def find_class(self, module: str, name: str) -> Any:
        if module in _MAIN and Unpickler.main is not None:
            main, Unpickler.main = Unpickler.main, None
            try:
                _import_main(main)
            except BaseException:
                # The next one who asks for it has to hear the same reason.
                Unpickler.main = main
                raise
        return super().find_class(module, name)


def _import_main(main: dict[str, Any]) -> None:
    """Load the run's program under another name, so that what stands under its main guard does not run."""
    global _importing_main
    from multiprocessing.spawn import prepare

    _importing_main = True
    try:
        prepare(main)
    finally:
        _importing_main = False


def files_by_name() -> dict[str, str]:
    """The modules here that were loaded from files which their names and the program's import path do not lead to."""
    folders = {os.path.abspath(folder) for folder in sys.path}
    files = {}
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if "." in name or not isinstance(origin, str) or not origin.endswith(".py"):
            continue
        folder, base = os.path.split(os.path.abspath(origin))
        found = base == f"{name}.py" and folder in folders
        found = found or (base == "__init__.py" and os.path.dirname(folder) in folders)
        if is_given(module) or not found:
            files[name] = origin
    return files
