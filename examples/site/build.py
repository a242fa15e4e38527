"""A documentation site from a folder of Markdown, as a milo pipeline.

    milo run examples/site/build.py -p content=docs -p output=build/site -p strict=true

Each phase is a function of `sitebuilder`, bound here to the folders that were given.
"""

from __future__ import annotations

from pathlib import Path

from sitebuilder.discover import discover as find_sources
from sitebuilder.discover import page_urls
from sitebuilder.links import broken_links, count_checked
from sitebuilder.markdown import parse_page
from sitebuilder.model import Built, Site, SiteError, Sources
from sitebuilder.order import arrange
from sitebuilder.output import Output
from sitebuilder.render import render as render_site

from milo import Phase, Pipeline

PROJECT = Path(__file__).resolve().parent.parent.parent


class Build:
    """The phases of one build. A method's parameter is named like the phase whose result it takes."""

    def __init__(self, content: Path, output: Path, strict: bool) -> None:
        self.content, self.strict = content, strict
        self.folder = output
        self.output = Output(output)

    def discover(self) -> Sources:
        """Find the pages and the files beside them."""
        sources = find_sources(self.content, self.folder)
        print(f"{len(sources.pages):,} pages and {len(sources.assets):,} other files in {self.content}")
        return sources

    def parse(self, discover: Sources) -> Site:
        """Read every page: its HTML, title, anchors and links."""
        urls = page_urls(discover.pages)
        site = arrange(
            discover, [parse_page(name, _read(discover.root / name), urls) for name in discover.pages]
        )
        _refuse_same_names(site)
        print(f"{sum(len(page.links) for page in site.pages):,} links and images")
        return site

    def render(self, parse: Site) -> tuple[Site, dict[str, str]]:
        """Put every page into the template."""
        texts = render_site(parse)
        print(f"{len(texts):,} files, {sum(map(len, texts.values())) / 1e6:.1f} MB of text")
        return parse, texts

    def assets(self, parse: Site) -> tuple[str, ...]:
        """Copy what is not Markdown."""
        names = parse.sources.assets
        self.output.claim(names)
        for name in names:
            self.output.copy(parse.sources.root / name, name)
        print(f"{len(names):,} files copied")
        return names

    def write(self, render: tuple[Site, dict[str, str]], assets: tuple[str, ...]) -> Built:
        """Write the pages, then remove what is left of an earlier build."""
        site, texts = render
        files = frozenset({*texts, *assets})
        self.output.claim(texts)
        changed = sum(self.output.write(name, text) for name, text in texts.items())
        stale = self.output.settle(files)
        print(f"{changed:,} of {len(texts):,} files changed, {len(stale):,} stale ones removed")
        print(f"The site is at {self.output.root / 'index.html'}")
        return Built(site, files)

    def health(self, write: Built) -> list[str]:
        """Check every relative link, anchor and image; give the broken ones."""
        broken = broken_links(write)
        count = count_checked(write)
        if not broken:
            print(f"all {count:,} relative links lead somewhere")
            return broken
        summary = f"{len(broken):,} of {count:,} relative links lead nowhere:\n  " + "\n  ".join(broken)
        if self.strict:
            raise SiteError(summary)
        print(summary)
        return broken


def pipeline(
    content: Path = PROJECT / "docs",
    output: Path = PROJECT / "build" / "site",
    strict: bool = False,
) -> Pipeline:
    """Build the Markdown in `content` into `output`; `strict`: a broken link is a failure, not a warning."""
    build = Build(content, output, strict)
    site = Pipeline(
        "site",
        Phase("discover", handler=build.discover),
        Phase("parse", handler=build.parse, depends_on=("discover",), weight=4),
        Phase("render", handler=build.render, depends_on=("parse",), parallel=True, weight=2),
        Phase("assets", handler=build.assets, depends_on=("parse",), parallel=True),
        Phase("write", handler=build.write, depends_on=("render", "assets"), weight=2),
        capture_output=True,
    )
    return site >> Phase(
        "health",
        handler=build.health,
        depends_on=("write",),
        description="Check every relative link, anchor and image",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error


def _refuse_same_names(site: Site) -> None:
    pages = {page.url: page.source for page in site.pages}
    for name in sorted(pages.keys() & set(site.sources.assets)):
        raise SiteError(
            f"{pages[name] or 'a list of pages'} and the file {name} would both be {name}: rename one."
        )
    if len({page.source or page.url for page in site.pages}) != len(pages):
        raise SiteError("Two pages would have the same name in the output: rename one of them.")
