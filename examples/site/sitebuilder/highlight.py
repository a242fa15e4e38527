"""Colour for code blocks; the colours themselves are in the style sheet."""

from __future__ import annotations

from functools import cache

from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_formatter = HtmlFormatter(nowrap=True)


def highlight(code: str, language: str, _attributes: str) -> str:
    """Give the HTML of a code block, or "" (plain text) for a language nobody knows."""
    lexer = _lexer(language.split(",")[0])
    return pygments_highlight(code, lexer, _formatter) if lexer else ""


@cache
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return None
