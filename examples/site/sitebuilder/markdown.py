"""Read one Markdown page: its HTML, title, anchors and links.

Raw HTML is kept as it is, because documentation is written by people who may publish it anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sitebuilder.footnotes import footnotes
from sitebuilder.highlight import highlight
from sitebuilder.links import rewrite
from sitebuilder.model import Heading, Link, Page
from sitebuilder.raw_html import read_raw_html
from sitebuilder.slugs import Slugs

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:(.*?)\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_GIVEN_ANCHOR = re.compile(r"\s*\{:?\s*#([\w.:-]+)[^{}]*\}")

_INSERTED = re.compile(r"--8<--|:::[ \t]")

_markdown = MarkdownIt("commonmark", {"highlight": highlight, "store_labels": True})
_markdown.enable(["table", "strikethrough"]).use(footnotes)


def parse_page(source: str, text: str, urls: Mapping[str, str]) -> Page:
    """Parse the page `source`; `urls` gives the place of every page, so that links follow it."""
    text, title = _without_front_matter(text.replace("\r\n", "\n"))
    found: dict[str, Any] = {}
    tokens = _markdown.parse(text, found)
    reader = _Reader(source, urls, found.get("references", {}))
    reader.read(tokens)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return Page(
        source=source,
        url=urls[source],
        title=title or reader.title or source.rpartition("/")[2].removesuffix(".md"),
        html=html,
        anchors=frozenset(reader.anchors | reader.slugs.taken),
        links=tuple(reader.links),
        headings=tuple(reader.headings),
        complete=reader.complete,
    )


def _without_front_matter(text: str) -> tuple[str, str]:
    found = _FRONT_MATTER.match(text)
    if not found or ":" not in (found[1] or ""):
        return text, ""
    title = re.search(r"^title:[ \t]*(.+?)[ \t]*$", found[1], re.MULTILINE)
    # The lines stay, empty, so that a broken link is reported on the line where it is.
    return "\n" * found[0].count("\n") + text[found.end() :], title[1].strip("\"'") if title else ""


class _Reader:
    """Walks the tokens of a page once; collects, and rewrites in place."""

    def __init__(self, source: str, urls: Mapping[str, str], references: Mapping[str, Any]) -> None:
        self.source, self.urls, self.references = source, urls, references
        self.complete = True
        self.title = ""
        self.slugs = Slugs()
        self.anchors: set[str] = set()
        self.links: list[Link] = []
        self.headings: list[Heading] = []
        self._line = 1
        self._depth = 0

    def read(self, tokens: list[Token]) -> None:
        for place, token in enumerate(tokens):
            if token.map:
                self._line = token.map[0] + 1
            if token.type in ("bullet_list_open", "ordered_list_open"):
                self._depth += 1
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                self._depth -= 1
            elif token.type == "html_block":
                self._read_html(token)
            elif token.type == "inline":
                self.complete = self.complete and not _INSERTED.match(token.content)
                self._read_inline(token.children or [])
                if tokens[place - 1].type == "heading_open":
                    self._read_heading(tokens[place - 1], token)

    def _read_inline(self, children: list[Token]) -> None:
        for place, token in enumerate(children):
            if token.type == "link_open":
                self._follow(token, "href")
            elif token.type == "image":
                self._follow(token, "src")
            elif token.type == "html_inline":
                self._read_html(token)
            elif token.type == "text" and place:
                self._read_given_anchor(token)
            if token.type in ("softbreak", "hardbreak"):
                self._line += 1

    def _follow(self, token: Token, attribute: str) -> None:
        target = str(token.attrGet(attribute) or "")
        definition = self.references.get(token.meta.get("label", ""))
        # A link by reference is mended where it is defined.
        line = definition["map"][0] + 1 if definition else self._line
        self.links.append(Link(line, unescape(target), self._depth))
        token.attrSet(attribute, rewrite(target, self.source, self.urls))

    def _read_html(self, token: Token) -> None:
        raw = read_raw_html(token.content, lambda target: rewrite(target, self.source, self.urls))
        self.anchors |= raw.anchors
        self.links += [Link(self._line + line, target, self._depth) for line, target in raw.targets]
        if token.type == "html_inline":
            self._line += token.content.count("\n")
        token.content = raw.html

    def _read_given_anchor(self, token: Token) -> None:
        """Take `{#anchor}` right after an inline element, as attribute lists write it."""
        found = _GIVEN_ANCHOR.match(token.content)
        if found:
            self.anchors.add(found[1])
            token.type = "html_inline"
            token.content = f'<a id="{escape(found[1])}"></a>' + escape(token.content[found.end() :])

    def _read_heading(self, opening: Token, inline: Token) -> None:
        given, text = self._given_heading_anchor(inline)
        level = int(opening.tag[1])
        aliases: tuple[str, ...] = ()
        if given:
            anchor = given
            self.anchors.add(given)
        else:
            anchor, aliases = self.slugs.add(text)
        opening.attrSet("id", anchor)
        for alias in aliases:
            inline.children = [Token("html_inline", "", 0, content=f'<a id="{escape(alias)}"></a>')] + (
                inline.children or []
            )
        if not self.title:
            self.title = text
        elif level in (2, 3):
            self.headings.append(Heading(level, anchor, text))

    def _given_heading_anchor(self, inline: Token) -> tuple[str, str]:
        children = inline.children or []
        last = children[-1] if children else None
        found = re.search(_GIVEN_ANCHOR.pattern + r"\s*$", last.content) if last else None
        if last and found and last.type == "text":
            last.content = last.content[: found.start()]
        text = "".join(token.content for token in children if token.type in ("text", "code_inline", "image"))
        return (found[1] if found else ""), text.strip()
