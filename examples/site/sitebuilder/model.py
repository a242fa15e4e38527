"""What the phases hand to each other: plain values, names relative to the content folder with "/"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from milo import register


class SiteError(Exception):
    """The site cannot be built, or is not good; the message says what to do about it."""


@register
@dataclass(frozen=True, slots=True)
class Sources:
    """The files that were found below `root`."""

    root: Path
    pages: tuple[str, ...]
    assets: tuple[str, ...]


@register
@dataclass(frozen=True, slots=True)
class Link:
    """A link or an image as an author wrote it; `depth` counts the lists around it."""

    line: int
    target: str
    depth: int = 0


@register
@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the title, for the table of contents of its page."""

    level: int
    anchor: str
    text: str


@register
@dataclass(frozen=True, slots=True)
class Page:
    """A parsed page; `source` is empty for a list of pages that nobody wrote.

    `complete` is False when another tool would put content in, whose anchors are unknown here.
    """

    source: str
    url: str
    title: str
    html: str
    anchors: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    headings: tuple[Heading, ...] = ()
    complete: bool = True


@register
@dataclass(frozen=True, slots=True)
class Site:
    """Every page in reading order, and the other files that belong to them."""

    sources: Sources
    pages: tuple[Page, ...]
    depths: Mapping[str, int]


@register
@dataclass(frozen=True, slots=True)
class Built:
    """What now stands in the output folder."""

    site: Site
    files: frozenset[str]
