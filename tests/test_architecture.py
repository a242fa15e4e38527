"""The layout of the code is what ARCHITECTURE.md says it is, and stays easy to find one's way in."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "milo"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py"))
MAX_LINES = 400
PUBLIC_FUNCTIONS = {"run", "arun", "shell", "sh", "current_phase"}

TESTED_ELSEWHERE = {
    "__main__.py": "one line; tests/cli run the command in processes of its own",
    "cli/app.py": "tests/cli/test_commands.py runs the command itself",
    "cli/commands/completion.py": "tests/cli/test_commands.py",
    "cli/commands/init.py": "tests/cli/test_commands.py",
    "cli/commands/order.py": "tests/cli/test_commands.py",
    "cli/options.py": "tests/cli/test_run.py: the options are seen in what a run does",
    "cli/signals.py": "tests/cli/test_run.py and test_terminal.py send signals to a real process",
    "cli/stdio.py": "tests/cli/test_run.py: a process that was started with closed streams",
    "store/types.py": "signatures only; mypy checks them",
    "views/mcp/launcher.py": "a port and a value: tests/views/mcp/test_acting.py and tests/cli/test_launching.py",
    "views/mcp/look.py": "a port and a value: tests/views/mcp/test_documents.py and the tests of both sources",
}
"""Modules without a test file of their own, each with the reason."""


def load_tree_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "architecture_tree", ROOT / "tools" / "architecture_tree.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_architecture_page_shows_the_modules_that_there_are() -> None:
    """The tree in ARCHITECTURE.md names every module with its first docstring line, and nothing else."""
    tool = load_tree_tool()
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert page == tool.with_tree(page, tool.tree()), "run: .venv/bin/python tools/architecture_tree.py"


def test_architecture_tree_forgets_no_top_level_module() -> None:
    """Everything at the top of the package has its place in the layers, or is the way in."""
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert top - {"__init__", "__main__"} == set(load_tree_tool().layers())


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_belongs_in_it(module: str) -> None:
    """Every module has a docstring whose first line is a whole sentence."""
    docstring = ast.get_docstring(ast.parse((PACKAGE / module).read_text("utf-8")))
    assert docstring, f"{module} has no docstring"
    assert docstring.partition("\n")[0].endswith("."), f"{module}: the first line is no whole sentence"


@pytest.mark.parametrize("module", MODULES)
def test_module_is_short(module: str) -> None:
    """No module is longer than 400 lines."""
    lines = len((PACKAGE / module).read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, f"{module} has {lines} lines: split it by subject"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.endswith("__init__.py")])
def test_tests_mirror_the_source(module: str) -> None:
    """src/milo/a/b.py has tests/a/test_b*.py, or stands in the list of exceptions with a reason."""
    path = Path(module)
    # A folder inside a folder has its tests in the outer one where there are few enough.
    folders = {Path(*path.parent.parts[:1]), path.parent}
    found = [each for each in TESTS if each.parent in folders and each.stem.startswith(f"test_{path.stem}")]
    if module in TESTED_ELSEWHERE:
        assert not found, f"{module} has tests now: take it off the list of exceptions"
    else:
        assert found, f"a test_{path.stem}.py is missing among the tests of {path.parent}"


def test_exceptions_name_modules_that_there_are() -> None:
    """The list of modules tested elsewhere holds no module that is gone."""
    assert set(TESTED_ELSEWHERE) <= set(MODULES)


def test_no_top_level_module_bears_the_name_of_a_public_function() -> None:
    """`from milo import run` can never give a module."""
    import milo

    top = {path.stem for path in PACKAGE.iterdir()}
    assert not top & (PUBLIC_FUNCTIONS | set(milo.__all__))


@pytest.mark.parametrize("statement", ["import milo", "from milo import Phase, Pipeline, run"])
def test_importing_milo_loads_no_other_library(statement: str) -> None:
    """Who imports milo pays for no library that the command line or the views use."""
    program = f"""if True:
        import sys
        before = set(sys.modules)
        {statement}
        roots = {{name.partition('.')[0] for name in set(sys.modules) - before}}
        print(*sorted(roots - set(sys.stdlib_module_names)))
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["milo"]
