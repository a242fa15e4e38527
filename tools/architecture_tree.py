"""Writes the tree in ARCHITECTURE.md from the layers and the first line of each module's docstring."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "milo"
PAGE = ROOT / "ARCHITECTURE.md"
START, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"
NAME_WIDTH = 22


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(with_tree(PAGE.read_text("utf-8"), tree()), "utf-8")


def layers() -> list[str]:
    """The top-level modules and packages, lowest layer first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    listed = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [name.strip(" ()") for layer in reversed(listed) for name in re.split("[|:]", layer)]


def tree() -> str:
    """A line a module, what it is for beside it; packages after what they may import."""
    lines = [_line("milo/", PACKAGE / "__init__.py")]
    for name in [*layers(), "__main__"]:
        if (PACKAGE / name).is_dir():
            lines.append(_line(f"  {name}/", PACKAGE / name / "__init__.py"))
            lines.extend(_inside(PACKAGE / name, "    "))
        elif (PACKAGE / f"{name}.py").exists():
            lines.append(_line(f"  {name}.py", PACKAGE / f"{name}.py"))
    return "\n".join(lines) + "\n"


def _inside(folder: Path, indent: str) -> list[str]:
    lines = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and path.name != "__init__.py":
            lines.append(_line(indent + path.name, path))
        elif (path / "__init__.py").exists():
            lines.append(_line(f"{indent}{path.name}/", path / "__init__.py"))
            lines.extend(_inside(path, indent + "  "))
    return lines


def _line(name: str, path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) if path.exists() else None
    return f"{name:{NAME_WIDTH - 1}} {(docstring or '').partition(chr(10))[0]}".rstrip()


def with_tree(page: str, tree: str) -> str:
    """The page with the tree between its marks replaced.

    Raises:
        ValueError: The page has no place for a tree.
    """
    if START not in page or END not in page:
        raise ValueError(f"{PAGE.name} has lost the marks around its tree: {START!r} and {END!r}")
    before, rest = page.split(START, 1)
    return before + START + tree + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    main()
