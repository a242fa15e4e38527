"""The documentation builder in examples/site: what it writes and removes, which links it calls broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

SITE = Path(__file__).resolve().parents[2] / "examples" / "site"

Builder = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def site_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SITE))


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.fixture
def build(tmp_path: Path, content: Path) -> Builder:
    """Write the given pages (name=text), build the site phase by phase, give the broken links."""

    def run(
        pages: dict[str, str | bytes] | None = None, strict: bool = False, output: str = "out"
    ) -> list[str]:
        from build import Build

        for name, text in (pages or {}).items():
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        phases = Build(content, tmp_path / output, strict)
        site = phases.parse(phases.discover())
        return phases.health(phases.write(phases.render(site), phases.assets(site)))

    return run


def files_below(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not path.name.startswith(".")} - {"_site/style.css"}


def test_a_page_becomes_html_with_its_title_and_its_assets(build: Builder, tmp_path: Path) -> None:
    broken = build({"index.md": "# Hello *you*\n\n![x](img/a.png)\n", "img/a.png": b"\x89PNG"})
    html = (tmp_path / "out/index.html").read_text()
    assert broken == []
    assert "<title>Hello you</title>" in html
    assert (tmp_path / "out/img/a.png").read_bytes() == b"\x89PNG"
    assert files_below(tmp_path / "out") == {"index.html", "img/a.png"}


def test_links_to_sources_lead_to_pages(build: Builder, tmp_path: Path) -> None:
    broken = build(
        {
            "index.md": 'See [b](sub/b.md#part) and <a href="sub/b.md">raw</a>.\n',
            "sub/b.md": "# B\n\n## Part\n\n[up](../index.md) [self](#part) [out](https://example.org/x.md)\n",
        }
    )
    html = (tmp_path / "out/index.html").read_text()
    assert broken == []
    assert 'href="sub/b.html#part"' in html
    assert '<a href="sub/b.html">raw</a>' in html
    assert 'href="https://example.org/x.md"' in (tmp_path / "out/sub/b.html").read_text()


def test_every_kind_of_broken_link_is_found_on_its_line(build: Builder) -> None:
    broken = build(
        {
            "index.md": """\
                ---
                title: Start
                ---
                # Start

                [gone](gone.md) and
                then [no anchor](#nowhere), [other page](b.md#nowhere).

                ![gone](gone.png)
                ![by reference][pic]

                <p>
                <a href="gone.html">raw</a> <img src="raw.png">
                </p>

                [by reference]

                [pic]: ref.png
                [by reference]: ref.md
                """,
            "b.md": "# B\n",
        }
    )
    assert broken == [
        "index.md:6 -> gone.md",
        "index.md:7 -> #nowhere",
        "index.md:7 -> b.md#nowhere",
        "index.md:9 -> gone.png",
        "index.md:13 -> gone.html",
        "index.md:13 -> raw.png",
        "index.md:18 -> ref.png",
        "index.md:19 -> ref.md",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "[x](https://example.org/gone)",
        "[x](mailto:a@example.org)",
        "[x](//example.org/gone)",
        "[x](/elsewhere/gone)",
        "[x](#)",
        "[x](b.html)",
        "[x](b%20c.md)",
        "[x](sub/)",
        "[x](sub)",
        "[x](b/#part)",
        '[x](b.md "title")',
        "`[x](gone.md)`",
        "    [x](gone.md)",
        "```\n[x](gone.md)\n```",
        '<!-- <a href="gone.md">x</a> -->',
        "note[^1]\n\n[^1]: [says](https://example.org)",
        "[x](picture.svg#part)",
        "[x](inserted.md#from-elsewhere)",
        '<a id="here"></a>[x](#here)',
        '<a name="here"></a>[x](#here)',
    ],
)
def test_a_link_that_is_good_or_no_link_is_not_called_broken(build: Builder, link: str) -> None:
    beside = {
        "b.md": "# B\n\n## Part\n",
        "b c.md": "",
        "sub/x.md": "",
        "picture.svg": "<svg/>",
        "inserted.md": '--8<-- "elsewhere.md"\n',
    }
    assert build({"index.md": f"# T\n\n{link}\n", **beside}) == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Plain words", "plain-words"),
        ("`Code` & more", "code--more"),
        ("`Code` & more", "code-more"),
        ("Où est-ce?", "où-est-ce"),
        ("Given {#mine}", "mine"),
        ("Where's the -> operator", "wheres-the---operator"),
    ],
)
def test_a_heading_has_the_anchors_that_renderers_agree_on(build: Builder, heading: str, anchor: str) -> None:
    assert build({"index.md": f"# T\n\n## {heading}\n\n[x](#{anchor})\n"}) == []


def test_equal_headings_get_different_anchors(build: Builder, tmp_path: Path) -> None:
    broken = build(
        {"index.md": "# T\n## Same\n## Same\n## Same\n[a](#same) [b](#same-1) [c](#same-2) [d](#same-3)\n"}
    )
    html = (tmp_path / "out/index.html").read_text()
    assert broken == ["index.md:5 -> #same-3"]
    assert html.count('id="same"') == html.count('id="same-1"') == html.count('id="same-2"') == 1


def test_strict_turns_broken_links_into_a_failure_that_lists_them(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"index\.md:1 -> gone.md") as failure:
        build({"index.md": "[x](gone.md) [y](also.md)\n"}, strict=True)
    assert "2 of 2 relative links lead nowhere" in str(failure.value)
    assert (tmp_path / "out/index.html").is_file()


def test_without_strict_broken_links_are_printed(build: Builder, capsys: pytest.CaptureFixture[str]) -> None:
    build({"index.md": "[x](gone.md)\n"})
    assert "index.md:1 -> gone.md" in capsys.readouterr().out


def test_what_an_earlier_build_wrote_is_removed_and_nothing_else(
    build: Builder, content: Path, tmp_path: Path
) -> None:
    build({"index.md": "# T\n", "old/page.md": "# O\n", "old.png": b"x"})
    (tmp_path / "out/mine.txt").write_text("not the builder's")
    (content / "old/page.md").unlink()
    (content / "old.png").unlink()
    build()
    assert files_below(tmp_path / "out") == {"index.html", "mine.txt"}
    assert not (tmp_path / "out/old").exists()


def test_a_folder_with_files_of_somebody_else_is_refused(build: Builder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    with pytest.raises(Exception, match="did not write"):
        build({"index.md": "# T\n"})
    assert files_below(tmp_path / "out") == {"mine.txt"}


def test_a_file_of_somebody_else_is_never_overwritten(build: Builder, tmp_path: Path) -> None:
    build({"index.md": "# T\n"})
    (tmp_path / "out/b.html").write_text("mine")
    with pytest.raises(Exception, match="was not written by this builder"):
        build({"b.md": "# B\n"})
    assert (tmp_path / "out/b.html").read_text() == "mine"


def test_nothing_is_written_or_removed_through_a_link_that_leaves_the_output(
    build: Builder, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "page.html").write_text("safe")
    build({"index.md": "# T\n"})
    (tmp_path / "out/sub").symlink_to(outside)
    with pytest.raises(Exception, match="outside the output folder"):
        build({"sub/page.md": "# P\n"})
    assert (outside / "page.html").read_text() == "safe"


def test_a_manifest_cannot_make_the_builder_remove_a_file_outside(build: Builder, tmp_path: Path) -> None:
    build({"index.md": "# T\n"})
    (tmp_path / "precious.txt").write_text("safe")
    (tmp_path / "out/.site-manifest.json").write_text('{"files": ["index.html", "../precious.txt"]}')
    with pytest.raises(Exception, match=r"outside the output folder|was not written"):
        build()
    assert (tmp_path / "precious.txt").exists()


def test_a_page_about_a_dot_is_not_hidden_but_other_dot_files_are(build: Builder, tmp_path: Path) -> None:
    build({"index.md": "# T\n", "..md": "# .\n", ".draft.md": "# No\n", ".git/x.md": "# No\n"})
    assert {path.name for path in (tmp_path / "out").glob("*.html")} == {"index.html", "..html"}


@pytest.mark.parametrize("name", ["README.md", "SUMMARY.md"])
def test_readme_or_summary_is_the_index_when_there_is_none(build: Builder, tmp_path: Path, name: str) -> None:
    broken = build({name: "# Guide\n\n[a](a.md)\n", "a.md": f"# A\n\n[start]({name})\n"})
    assert broken == []
    assert "<title>Guide</title>" in (tmp_path / "out/index.html").read_text()
    assert 'href="index.html"' in (tmp_path / "out/a.html").read_text()


def test_a_folder_without_an_index_gets_a_list_of_its_pages(build: Builder, tmp_path: Path) -> None:
    build({"b/one.md": "# One & only\n"})
    assert '<a href="b/index.html">b/</a>' in (tmp_path / "out/index.html").read_text()
    assert '<a href="one.html">One &amp; only</a>' in (tmp_path / "out/b/index.html").read_text()


def test_the_index_decides_the_order_of_the_navigation(build: Builder, tmp_path: Path) -> None:
    build({"index.md": "# T\n[z](z.md) [a](a.md)\n", "a.md": "# Aa\n", "m.md": "# Mm\n", "z.md": "# Zz\n"})
    html = (tmp_path / "out/m.html").read_text()
    menu = html[html.index("<nav") : html.index("</nav>")]
    assert [title for title in ("T", "Zz", "Aa", "Mm") if f">{title}</a>" in menu] == ["T", "Zz", "Aa", "Mm"]
    assert menu.index(">Zz<") < menu.index(">Aa<") < menu.index(">Mm<")


def test_the_pages_of_a_large_site_do_not_each_list_all_others(build: Builder, tmp_path: Path) -> None:
    build({f"many/p{number:03}.md": f"# P{number}\n" for number in range(300)})
    html = (tmp_path / "out/many/p150.html").read_text()
    assert html.count("<a ") < 80
    assert 'href="../many/p149.html"' in html


def test_no_pages_and_no_folder_are_clear_errors(build: Builder, content: Path) -> None:
    with pytest.raises(Exception, match=r"No Markdown file .* -p content=FOLDER"):
        build()
    content.rmdir()
    with pytest.raises(Exception, match=r"No content folder .* -p content=FOLDER"):
        build()


def test_a_page_that_is_not_utf8_is_named(build: Builder) -> None:
    with pytest.raises(Exception, match=r"bad\.md is not UTF-8"):
        build({"bad.md": b"\xff\xfe"})


def test_a_page_and_a_file_of_the_same_name_are_refused(build: Builder) -> None:
    with pytest.raises(Exception, match=r"a\.md and the file a\.html"):
        build({"a.md": "# A\n", "a.html": "<p>"})


def test_an_output_inside_the_content_is_not_read_again(build: Builder, content: Path) -> None:
    build({"index.md": "# T\n", "a.png": b"x"}, output="content/out")
    assert build(output="content/out") == []
    assert not (content / "out/out").exists()


def test_raw_html_is_kept_and_text_is_escaped(build: Builder, tmp_path: Path) -> None:
    build({"index.md": "# <b>T</b> & co\n\n<details><summary>x</summary></details>\n\n`<script>`\n"})
    html = (tmp_path / "out/index.html").read_text()
    assert "<details><summary>x</summary></details>" in html
    assert "&lt;script&gt;" in html
    assert "<title>T &amp; co</title>" in html


def test_the_pipeline_builds_the_site_in_the_phases_of_the_documentation(
    content: Path, tmp_path: Path
) -> None:
    from build import pipeline

    from milo import run

    (content / "index.md").write_text("# T\n[x](gone.md)\n")
    site = pipeline(content, tmp_path / "out")
    assert site.execution_order() == ["discover", "parse", "assets", "render", "write", "health"]
    result = run(site)
    assert result.ok
    assert result.results["health"] == ["index.md:2 -> gone.md"]
    strict = run(pipeline(content, tmp_path / "out", strict=True))
    assert strict.state.phase("health").status == "failed"
    assert "index.md:2 -> gone.md" in strict.state.phase("health").error


def test_the_documentation_of_milo_has_no_broken_link(tmp_path: Path) -> None:
    from build import pipeline

    from milo import run

    assert run(pipeline(output=tmp_path / "out", strict=True)).ok, "see the links in the health phase"
