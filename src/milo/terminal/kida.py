"""Kida as the engine of terminal templates, for those who ask for it and have it installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from milo.errors import StateError
from milo.terminal.templates import TemplateError, broken, not_found

__all__ = ["KidaEngine"]

_INLINE = "<template>"


class KidaEngine:
    """Loads templates from folders; a template may use all that Kida offers for terminals.

    Args:
        folders: Where to look, first to last.
        functions: Helpers for every template, beside Kida's own.
        filters: Filters for every template, beside Kida's own.

    Raises:
        StateError: Kida is not installed.
    """

    def __init__(
        self,
        folders: list[Path],
        functions: Mapping[str, Callable[..., Any]],
        filters: Mapping[str, Callable[..., Any]],
    ) -> None:
        try:
            kida, terminal = import_module("kida"), import_module("kida.terminal")
        except ImportError as error:
            raise StateError(
                f"Kida cannot be loaded: {error}.",
                hint='Install "kida-templates" (it needs Python 3.14), or leave engine="kida" out.',
            ) from error
        self._folders = folders
        self._failure: type[Exception] = kida.TemplateError
        self._missing: type[Exception] = kida.TemplateNotFoundError
        # Whatever terminal Kida would find by itself: the frame is fitted to the real one afterwards. No compiled
        # templates are left beside the files, which may be in a package.
        self._environment = terminal.terminal_env(
            loader=kida.FileSystemLoader([str(folder) for folder in folders if folder.is_dir()]),
            terminal_color="truecolor",
            terminal_unicode=True,
            ambiguous_width=1,
            bytecode_cache=False,
        )
        for name, function in functions.items():
            self._environment.add_global(name, function)
        for name, function in filters.items():
            self._environment.add_filter(name, function)

    def load(self, name: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template called `name`."""
        return self._renderer(lambda: self._environment.get_template(name), name, None)

    def from_text(self, text: str) -> Callable[[Mapping[str, Any]], str]:
        """The function that renders the template whose text is given."""
        return self._renderer(lambda: self._environment.from_string(text, name=_INLINE), _INLINE, text)

    def _renderer(
        self, load: Callable[[], Any], name: str, text: str | None
    ) -> Callable[[Mapping[str, Any]], str]:
        try:
            template = load()
        except self._missing as error:
            raise not_found(name, name, self._folders) from error
        except self._failure as error:
            raise self._explained(error, name, text) from error

        def render(context: Mapping[str, Any]) -> str:
            try:
                return str(template.render(**context))
            except Exception as error:
                raise self._explained(error, name, text) from error

        return render

    def _explained(self, error: Exception, name: str, text: str | None) -> TemplateError:
        line = getattr(error, "lineno", None)
        place = getattr(error, "template", None) or getattr(error, "template_name", None) or name
        # The first line says what is wrong; the others are a drawing of the place.
        problem = str(getattr(error, "message", "") or error).partition("\n")[0] or type(error).__name__
        source = text if text is not None else _source(str(place), self._folders)
        return broken(problem, name=str(place), line=line, source=source, kida=True)


def _source(name: str, folders: list[Path]) -> str | None:
    for folder in folders:
        try:
            return (folder / name).read_text("utf-8")
        except (OSError, ValueError):
            continue
    return None
