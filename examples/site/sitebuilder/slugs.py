"""Anchors of headings, as the usual renderers of Markdown make them."""

from __future__ import annotations

import re
import unicodedata


class Slugs:
    """The anchors of one page, each given once."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def add(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Give a heading its anchor, as GitHub and mdBook do, and aliases, as Python-Markdown does.

        Authors write links for the renderer they know; where the two differ, both lead to the heading.
        """
        anchor = self._free(github_slug(text) or "section", "-")
        other = self._free(python_markdown_slug(text) or anchor, "_", anchor)
        return anchor, () if other == anchor else (other,)

    def _free(self, slug: str, joint: str, same: str | None = None) -> str:
        if slug == same:
            return slug
        anchor, count = slug, 0
        while anchor in self.taken:
            count += 1
            anchor = f"{slug}{joint}{count}"
        self.taken.add(anchor)
        return anchor


def github_slug(text: str) -> str:
    """Lower-case, spaces to hyphens, anything but letters, digits, `-` and `_` dropped."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\s", " ", text.strip().lower())).replace(" ", "-")


def python_markdown_slug(text: str) -> str:
    """The same in ASCII, runs of spaces and hyphens made one hyphen."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
