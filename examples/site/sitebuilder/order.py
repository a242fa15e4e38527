"""The reading order of the pages, and what of it a page's navigation shows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import quote

from sitebuilder.model import Page, Site, Sources

WHOLE_MENU = 150
NEIGHBOURS = 20


def arrange(sources: Sources, pages: Iterable[Page]) -> Site:
    """Put the pages in the order in which SUMMARY.md or the index mentions them, the rest by name.

    A folder without an index gets a list of its pages.
    """
    by_url = {page.url: page for page in pages}
    for page in folder_lists(by_url):
        by_url[page.url] = page
    mentioned = _mentioned(by_url)
    last = len(mentioned)

    def place(url: str) -> tuple[object, ...]:
        folder, name = posixpath.split(url)
        return (url != "index.html", mentioned.get(url, (last, 0))[0], folder, name != "index.html", name)

    depths = {url: mentioned[url][1] if url in mentioned else _folder_depth(url) for url in by_url}
    return Site(sources, tuple(by_url[url] for url in sorted(by_url, key=place)), depths)


def folder_lists(by_url: Mapping[str, Page]) -> list[Page]:
    """Make an index page for the top and for each folder of pages that has none."""
    members: dict[str, list[Page]] = {"": []}
    for url, page in by_url.items():
        members.setdefault(posixpath.dirname(url), []).append(page)
    made = []
    for folder, pages in sorted(members.items()):
        url = posixpath.join(folder, "index.html")
        if url not in by_url:
            below = sorted(name for name in members if name and posixpath.dirname(name) == folder)
            made.append(_folder_list(url, folder or "Contents", below, pages))
    return made


def _folder_list(url: str, title: str, folders: list[str], pages: list[Page]) -> Page:
    entries = [(posixpath.basename(name) + "/index.html", posixpath.basename(name) + "/") for name in folders]
    entries += [
        (posixpath.basename(page.url), page.title) for page in sorted(pages, key=lambda page: page.url)
    ]
    items = "".join(f'<li><a href="{quote(to)}">{escape(name)}</a></li>\n' for to, name in entries)
    return Page("", url, title, f'<h1>{escape(title)}</h1>\n<ul class="pages">\n{items}</ul>\n')


def _mentioned(by_url: Mapping[str, Page]) -> dict[str, tuple[int, int]]:
    guide = next((page for page in by_url.values() if page.source == "SUMMARY.md"), by_url["index.html"])
    least = min((link.depth for link in guide.links if link.depth), default=1)
    urls = {page.source: page.url for page in by_url.values() if page.source}
    found: dict[str, tuple[int, int]] = {}
    for link in guide.links:
        url = urls.get(posixpath.normpath(link.target.partition("#")[0]))
        if url and url not in found:
            depth = max(0, link.depth - least) if guide.source == "SUMMARY.md" else _folder_depth(url)
            found[url] = (len(found), depth)
    return found


def _folder_depth(url: str) -> int:
    return max(0, url.count("/") - url.endswith("/index.html"))


def menu(site: Site) -> dict[str, tuple[Page, ...]]:
    """Give for each page the pages that its navigation shows.

    A large site shows the top and the neighbours only: the output must not grow with the square of the pages.
    """
    if len(site.pages) <= WHOLE_MENU:
        return {page.url: site.pages for page in site.pages}
    top = tuple(page for page in site.pages if site.depths[page.url] == 0)[:WHOLE_MENU]
    by_folder: dict[str, list[Page]] = {}
    for page in site.pages:
        by_folder.setdefault(posixpath.dirname(page.url), []).append(page)
    menus = {}
    for pages in by_folder.values():
        for place, page in enumerate(pages):
            near = pages[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
            menus[page.url] = _merged(top, near)
    return menus


def _merged(top: tuple[Page, ...], near: list[Page]) -> tuple[Page, ...]:
    """Put the neighbours below the top page of their folder."""
    folder = posixpath.dirname(near[0].url)
    shown = {page.url for page in top}
    rest = [page for page in near if page.url not in shown]
    cut = next(
        (place + 1 for place, page in enumerate(top) if posixpath.dirname(page.url) == folder), len(top)
    )
    return (*top[:cut], *rest, *top[cut:])
