"""Templates: found by name, rendered by the engine that was asked for, and precise about what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from milo.errors import MiloError, StateError
from milo.text import safe_text

__all__ = ["Engine", "TemplateError", "load_template"]

_ENGINES = ("jinja", "kida")
_KIDA_ONLY = re.compile(
    r"\{%-?\s*(?:end|def|let|export|match|case|slot|fragment|cache|unless|while|region|globals)\b|\{\{[^}]*(?:\|>|\?\?|\?\.)"
)


class TemplateError(MiloError):
    """A template cannot be found, read or rendered.

    Attributes:
        name: The template, as it was asked for.
        line: The number of the line, from 1; None where it is not known.
    """

    code = "template"

    def __init__(self, message: str, *, name: str = "", line: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.line = line


class Engine(Protocol):
    """What a template language has to offer."""

    def load(self, name: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template called `name`. Raises TemplateError."""

    def from_text(self, text: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template whose text is given. Raises TemplateError."""


def load_template(
    template: str,
    folders: Iterable[Path],
    engine: str,
    functions: Mapping[str, Callable[..., Any]],
    filters: Mapping[str, Callable[..., Any]],
) -> Callable[[Mapping[str, Any]], str]:
    """Make the function that renders a template.

    Args:
        template: The name of a file, or the text of a template: it holds ``{{``, ``{%`` or a line break then.
        folders: Where to look for names before milo's own templates.
        engine: "jinja" or "kida".
        functions: The helpers that every template knows.
        filters: The filters that every template knows.

    Raises:
        TemplateError: There is no such template, or it cannot be parsed.
        StateError: There is no such engine, or it is not installed.
    """
    chosen = _engine(engine, [*folders, bundled_folder()], functions, filters)
    if "\n" in template or "{{" in template or "{%" in template:
        return chosen.from_text(template)
    return chosen.load(template)


def bundled_folder() -> Path:
    """Where milo's own templates are."""
    return Path(str(files("milo"))) / "templates"


def _engine(
    name: str,
    folders: list[Path],
    functions: Mapping[str, Callable[..., Any]],
    filters: Mapping[str, Callable[..., Any]],
) -> Engine:
    if name == "jinja":
        from milo.terminal.jinja import JinjaEngine

        return JinjaEngine(folders, functions, filters)
    if name == "kida":
        from milo.terminal.kida import KidaEngine

        return KidaEngine(folders, functions, filters)
    raise StateError(f"engine must be one of {', '.join(_ENGINES)}, got {name!r}.")


def not_found(name: str, wanted_by: str, folders: Iterable[Path]) -> TemplateError:
    """The error for a template that is in none of the folders."""
    folders = list(folders)
    known = sorted(
        {path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()}
    )
    close = get_close_matches(name, known, 1)
    asked = f", which {wanted_by} asks for," if wanted_by and wanted_by != name else ""
    hint = f"Did you mean {close[0]!r}?" if close else "Name its folder: App(templates=FOLDER)."
    return TemplateError(
        f"The template {name!r}{asked} is in none of these folders: {', '.join(map(str, folders))}.",
        name=name,
        hint=hint,
    )


def broken(
    problem: str,
    *,
    name: str,
    line: int | None,
    source: str | None,
    known: Iterable[str] = (),
    kida: bool = False,
) -> TemplateError:
    """The error for a template that cannot be parsed or rendered, with the line in question.

    Args:
        problem: What the engine says.
        name: The template's file or name.
        line: The number of the line.
        source: The template's text, if it can be had.
        known: The names that it may use, to find the one that was meant.
        kida: Whether Kida rendered it.
    """
    lines = source.splitlines() if source else []
    shown = lines[line - 1].strip() if line is not None and 0 < line <= len(lines) else ""
    place = f"{name}, line {line}" if line is not None else name
    message = f"{place}: {safe_text(problem).rstrip('.')}."
    if shown:
        message += f" The line reads: {safe_text(shown)}"
    return TemplateError(
        message, name=name, line=line, hint=_hint(problem, "" if kida else source or "", known)
    )


def _hint(problem: str, source: str, known: Iterable[str]) -> str:
    if _KIDA_ONLY.search(source):
        return 'It looks like a Kida template; App(engine="kida") renders those.'
    unknown = re.search(r"'(\w+)' is undefined|[Nn]o (?:filter|test) named '(\w+)'", problem)
    if unknown:
        close = get_close_matches(unknown[1] or unknown[2], list(known), 1)
        if close:
            return f"Did you mean {close[0]!r}?"
    return ""
