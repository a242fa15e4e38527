"""Find the pages and assets of a content folder."""

from __future__ import annotations

import os
from pathlib import Path

from sitebuilder.model import SiteError, Sources


def discover(content: Path, output: Path) -> Sources:
    """List what lies below `content`, hidden files and the output folder left out.

    Raises SiteError when there is no such folder or no Markdown file in it.
    """
    root, out = content.resolve(), output.resolve()
    if not root.is_dir():
        raise SiteError(f"No content folder at {content}. Give one that exists: -p content=FOLDER")
    if root.is_relative_to(out):
        raise SiteError(f"The output folder {output} contains the content. Give another: -p output=FOLDER")
    pages: list[str] = []
    assets: list[str] = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_hidden(name) and here / name != out)
        for name in sorted(files):
            if not _is_hidden(name):
                wanted = pages if name.endswith(".md") else assets
                wanted.append((here / name).relative_to(root).as_posix())
    if not pages:
        raise SiteError(f"No Markdown file (*.md) below {content}. Give another folder: -p content=FOLDER")
    return Sources(root, tuple(pages), tuple(assets))


def _is_hidden(name: str) -> bool:
    # A page may be about a command called "." and be named "..md".
    return name.startswith(".") and name.lstrip(".") != "md"


def page_urls(pages: tuple[str, ...]) -> dict[str, str]:
    """Give each page its place: beside its source, README.md or SUMMARY.md as a missing index."""
    known = set(pages)
    urls = {page: page.removesuffix(".md") + ".html" for page in pages}
    for page in pages:
        folder, _, name = page.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        if name == "README.md" and prefix + "index.md" not in known:
            urls[page] = prefix + "index.html"
    if "SUMMARY.md" in known and "index.html" not in urls.values():
        urls["SUMMARY.md"] = "index.html"
    return urls
