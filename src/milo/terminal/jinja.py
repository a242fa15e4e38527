"""Jinja as the engine of terminal templates: strict about names, and nothing but text and colour comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2

from milo.terminal.cells import pad, truncate
from milo.terminal.style import style_filters
from milo.terminal.templates import TemplateError, broken, not_found
from milo.text import safe_text

__all__ = ["JinjaEngine"]

_INLINE = "<template>"


class JinjaEngine:
    """Loads templates from folders.

    Args:
        folders: Where to look, first to last.
        functions: Helpers for every template.
        filters: Filters for every template, beside the styles, ``pad``, ``truncate`` and ``center``.
    """

    def __init__(
        self,
        folders: list[Path],
        functions: Mapping[str, Callable[..., Any]],
        filters: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._folders = folders
        self._environment = environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folders),
            autoescape=False,  # what comes out is text for a terminal
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            finalize=_finalize,
            extensions=["jinja2.ext.loopcontrols"],
        )
        environment.globals.update(functions)
        environment.filters.update(style_filters())
        # Jinja's own count characters.
        environment.filters.update({"pad": pad, "truncate": truncate, "center": _center, **filters})

    def load(self, name: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template called `name`."""
        return self._renderer(lambda: self._environment.get_template(name), name, None)

    def from_text(self, text: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template whose text is given."""
        return self._renderer(lambda: self._environment.from_string(text), _INLINE, text)

    def _renderer(
        self, load: Callable[[], jinja2.Template], name: str, text: str | None
    ) -> Callable[[Mapping[str, Any]], str]:
        try:
            template = load()
        except jinja2.TemplateError as error:
            raise self._explained(error, name, text, ()) from error

        def render(context: Mapping[str, Any]) -> str:
            try:
                return template.render(context)
            except TemplateError:
                raise
            except Exception as error:
                raise self._explained(error, name, text, context) from error

        return render

    def _explained(
        self, error: Exception, name: str, text: str | None, context: Mapping[str, Any] | tuple[()]
    ) -> TemplateError:
        if isinstance(error, jinja2.TemplatesNotFound | jinja2.TemplateNotFound):
            return not_found(str(error.name), name, self._folders)
        environment = self._environment
        line: int | None
        known = [*context, *environment.globals, *environment.filters, *environment.tests]
        if isinstance(error, jinja2.TemplateSyntaxError):
            problem = error.message or ""
            file, line = error.filename or error.name or name, error.lineno
        else:
            problem = str(error)
            file, line = _place(error.__traceback__, name)
            if not isinstance(error, jinja2.TemplateError):
                problem = f"{type(error).__name__}: {problem}"
        file = name if file == "<unknown>" else file
        source = text if text is not None and file in (name, "<template>") else _source(file, self._folders)
        return broken(problem, name=file, line=line, source=source, known=known)


def _finalize(value: object) -> str:
    return safe_text(value if isinstance(value, str) else str(value))


def _center(text: object, columns: int = 80) -> str:
    return pad(text, columns, "center")


def _place(trace: TracebackType | None, name: str) -> tuple[str, int | None]:
    """The file and line of the innermost template in a traceback."""
    file, line = name, None
    while trace is not None:
        code = trace.tb_frame.f_code
        # Jinja puts the template's own lines into the traceback and marks those frames.
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file, line = code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return file, line


def _source(file: str, folders: list[Path]) -> str | None:
    for path in (Path(file), *[folder / file for folder in folders]):
        try:
            return path.read_text("utf-8")
        except (OSError, ValueError):
            continue
    return None
