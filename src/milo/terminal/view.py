"""A view: the template of an App with what it is given, and the text that comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from milo.errors import StateError
from milo.terminal.helpers import Helpers
from milo.terminal.screen import lines_of
from milo.terminal.style import wants_color, without_color
from milo.terminal.templates import load_template
from milo.text import safe_text, strip_sgr

__all__ = ["View"]


class View:
    """Renders states.

    Args:
        template: The name of a template, the Path of one, or the text of one.
        templates: A folder of templates, or several.
        engine: "jinja" or "kida".
        now: Monotonic seconds.
        color: Whether colour is shown; None lets the environment decide.
    """

    def __init__(
        self,
        template: str | Path,
        templates: str | Path | Iterable[str | Path] | None,
        engine: str,
        now: Callable[[], float],
        color: bool | None,
    ) -> None:
        if not isinstance(template, str | Path):
            raise StateError(f"A template must be a name, a Path or a text, got {template!r}.")
        folders = [templates] if isinstance(templates, str | Path) else list(templates or ())
        if isinstance(template, Path):
            folders.insert(0, template.parent)
            template = template.name
        helpers = Helpers(unicode=_encoding().lower().replace("-", "").startswith("utf"))
        self._render = load_template(
            template, [Path(folder) for folder in folders], engine, helpers.functions(), helpers.filters()
        )
        self._clock_now = now
        self._color = color
        self._true_for_s: float | None = None

    def draw(self, state: Any, columns: int, rows: int) -> tuple[str, float | None]:
        """For a screen: the text, and for how many seconds it is true though nothing changes; None for ever."""
        text = self._text(state, columns, rows, tty=True)
        return text if self._wants_color(tty=True) else without_color(text), self._true_for_s

    def frame(self, state: Any, columns: int, rows: int, *, color: bool) -> str:
        """A screen as plain lines, cut to its size, without what is blank at their ends and below the last."""
        text = self._text(state, columns, rows, tty=True)
        lines = lines_of(text if color else strip_sgr(text), columns, rows)
        return "\n".join([line.rstrip() for line in lines]).rstrip("\n") + "\n"

    def write_once(self, state: Any, columns: int, rows: int) -> None:
        """Write the picture to a stdout that is no screen."""
        text = self._text(state, columns, rows, tty=False)
        text = text if self._wants_color(tty=False) else strip_sgr(text)
        sys.stdout.write(text.encode(_encoding(), "replace").decode(_encoding()))
        sys.stdout.flush()

    def _text(self, state: Any, columns: int, rows: int, *, tty: bool) -> str:
        self._true_for_s = None
        context = {"state": state, "columns": columns, "rows": rows, "tty": tty, "now": self._now}
        # The engine has made each value safe; this is for what stands in the template itself, and for any engine.
        return safe_text(self._render(context))

    def _now(self, every: float = 0.1) -> float:
        self._true_for_s = every if self._true_for_s is None else min(every, self._true_for_s)
        return self._clock_now()

    def _wants_color(self, *, tty: bool) -> bool:
        return wants_color(os.environ, tty=tty, flag=self._color)


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
