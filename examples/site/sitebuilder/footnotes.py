"""Footnotes in Markdown: `[^name]` in the text, and `[^name]: what it says` at the start of a line."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_NOTE = re.compile(r"\[\^([\w-]+)\]:[ \t]+")
_MARK = re.compile(r"\[\^([\w-]+)\](?!\()")


def footnotes(markdown: MarkdownIt) -> None:
    """Teach them to a parser; without this a note would be taken for the definition of a link."""
    markdown.block.ruler.before("reference", "footnote", _note, {"alt": ["paragraph", "reference"]})
    markdown.inline.ruler.before("link", "footnote_mark", _mark)


def _note(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    found = _NOTE.match(state.src, state.bMarks[first] + state.tShift[first], state.eMarks[first])
    if not found or state.sCount[first] - state.blkIndent >= 4:
        return False
    if silent:
        return True
    last = first + 1
    while last < end and not state.isEmpty(last) and not _NOTE.match(state.src, state.bMarks[last]):
        last += 1
    name = found[1]
    lines = [first, last]
    opening = state.push("html_block", "", 0)
    opening.content, opening.map = f'<p class="footnote" id="fn-{name}"><sup>{name}</sup> ', lines
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(first, last, state.blkIndent, False)[len(found[0]) :].strip()
    inline.map, inline.children = lines, []
    state.push("html_block", "", 0).content = "</p>\n"
    state.line = last
    return True


def _mark(state: StateInline, silent: bool) -> bool:
    found = _MARK.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        # Not judged as a link: a mark whose note is missing stays readable all the same.
        opening = state.push("html_inline", "", 0)
        opening.content = f'<sup class="footnote-mark">{found[1]}</sup>'
    state.pos = found.end()
    return True
