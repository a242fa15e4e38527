"""Write docs/llms.txt, the index of the documentation for programs that read; `--check` compares only."""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
TARGET = DOCS / "llms.txt"


def index(docs: Path = DOCS) -> str:
    """Give the text: title and first paragraph of every page, in the order of index.md."""
    title, summary = _head(docs / "index.md")
    lines = [f"# {title}", "", f"> {summary}", "", "## Pages", ""]
    for page in _pages(docs):
        name, sentence = _head(page)
        lines.append(f"- [{name}]({page.relative_to(docs).as_posix()}): {sentence}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` compare it; returns the exit status."""
    text = index()
    if "--check" in arguments:
        fresh = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        if not fresh:
            print("docs/llms.txt is stale. Write it again: python tools/llms.py", file=sys.stderr)
        return 0 if fresh else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


def _pages(docs: Path) -> list[Path]:
    text = (docs / "index.md").read_text(encoding="utf-8")
    mentioned = dict.fromkeys(docs / name for name in re.findall(r"\]\(([\w/-]+\.md)\)", text))
    others = (page for page in sorted(docs.rglob("*.md")) if page.name != "index.md")
    return list(dict.fromkeys([*mentioned, *others]))


def _head(page: Path) -> tuple[str, str]:
    """The title of a page and the paragraph below it."""
    heading, _, rest = page.read_text(encoding="utf-8").partition("\n")
    return heading.removeprefix("# "), " ".join(rest.strip().split("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
