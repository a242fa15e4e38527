"""Where a link leads, and which links lead nowhere."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote, urlsplit

from sitebuilder.model import Built, Page


def is_checked(target: str) -> bool:
    """Tell whether `target` is relative: only those can be judged from the files alone."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not target.startswith("/") and target != ""


def rewrite(target: str, source: str, urls: Mapping[str, str]) -> str:
    """Turn a link to a Markdown source into one to its page; leave any other as it is.

    `page/` means the page as well, as tools with a folder for each page write it,
    unless there is such a folder.
    """
    if not is_checked(target):
        return target
    path, mark, rest = _split(target)
    url = _page_url(unquote(path), source, urls) if path else None
    if url is None:
        return target
    folder = posixpath.dirname(path.rstrip("/"))
    return posixpath.join(folder, quote(posixpath.basename(url))) + mark + rest


def broken_links(built: Built) -> list[str]:
    """List every relative link, anchor and image that leads nowhere, as `file:line -> target`."""
    urls = {page.source: page.url for page in built.site.pages if page.source}
    anchors = {page.url: page.anchors for page in built.site.pages if page.complete}
    broken = {
        (page.source, link.line, link.target): None
        for page in sorted(built.site.pages, key=lambda page: page.source)
        for link in sorted(page.links, key=lambda link: link.line)
        if not _leads_somewhere(link.target, page, urls, anchors, built.files)
    }
    return [f"{source}:{line} -> {target}" for source, line, target in broken]


def count_checked(built: Built) -> int:
    """Count the links that `broken_links` judges."""
    return sum(is_checked(link.target) for page in built.site.pages for link in page.links)


def _leads_somewhere(
    target: str,
    page: Page,
    urls: Mapping[str, str],
    anchors: Mapping[str, Collection[str]],
    files: Collection[str],
) -> bool:
    if not is_checked(target):
        return True
    parts = urlsplit(target)
    found = page.url
    if parts.path:
        name = _resolve(unquote(parts.path), page.source)
        found = _page_url(unquote(parts.path), page.source, urls) or name
        if found not in files:
            found = posixpath.normpath(posixpath.join(name, "index.html"))
        if found not in files:
            return False
    fragment = unquote(parts.fragment)
    return fragment in ("", "top") or found not in anchors or fragment in anchors[found]


def _page_url(path: str, source: str, urls: Mapping[str, str]) -> str | None:
    name = _resolve(path, source)
    if path.endswith("/") and posixpath.join(name, "index.html") not in urls.values():
        return urls.get(f"{name}.md", urls.get(name))
    return urls.get(name)


def _resolve(path: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _split(target: str) -> tuple[str, str, str]:
    cut = min((at for at in (target.find("?"), target.find("#")) if at >= 0), default=len(target))
    return target[:cut], target[cut : cut + 1], target[cut + 1 :]
