"""Links, images and anchors in HTML that stands in a Markdown page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import NamedTuple

_TARGETS = {"a": "href", "img": "src"}


class RawHtml(NamedTuple):
    """The HTML with its links rewritten, and what was found in it; lines count from 0."""

    html: str
    anchors: set[str]
    targets: list[tuple[int, str]]


def read_raw_html(html: str, rewrite: Callable[[str], str]) -> RawHtml:
    """Read `<a href>`, `<img src>`, `id` and `<a name>`; comments and scripts do not count."""
    parser = _Parser(rewrite)
    parser.feed(html)
    parser.close()
    for old, new in parser.replacements:
        html = html.replace(old, new, 1)
    return RawHtml(html, parser.anchors, parser.targets)


class _Parser(HTMLParser):
    def __init__(self, rewrite: Callable[[str], str]) -> None:
        super().__init__()
        self.rewrite = rewrite
        self.anchors: set[str] = set()
        self.targets: list[tuple[int, str]] = []
        self.replacements: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name == _TARGETS.get(tag):
                self.targets.append((self.getpos()[0] - 1, value))
                self._replace(value, self.rewrite(value))

    def _replace(self, old: str, new: str) -> None:
        whole = self.get_starttag_text() or ""
        if old != new and escape(old) in whole:
            self.replacements.append((whole, whole.replace(escape(old), escape(new), 1)))
