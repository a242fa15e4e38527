"""Parsed pages in, whole HTML documents out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sitebuilder.model import Site
from sitebuilder.order import menu

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
STYLE = "_site/style.css"


def render(site: Site) -> dict[str, str]:
    """Give the text of every file that is not copied, by its name in the output."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["url"] = quote
    template = environment.get_template("page.html")
    title = site.pages[0].title
    menus = menu(site)
    texts = {STYLE: (TEMPLATES / "style.css").read_text(encoding="utf-8")}
    for place, page in enumerate(site.pages):
        texts[page.url] = template.render(
            page=page,
            body=Markup(page.html),
            site_title=title,
            root="../" * page.url.count("/"),
            style=STYLE,
            menu=menus[page.url],
            depths=site.depths,
            before=site.pages[place - 1] if place else None,
            after=site.pages[place + 1] if place + 1 < len(site.pages) else None,
        )
    return texts
