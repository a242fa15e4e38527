"""The index of the documentation for programs that read."""

from __future__ import annotations

import runpy
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
llms = runpy.run_path(str(PROJECT / "tools" / "llms.py"))


def test_the_index_is_up_to_date() -> None:
    written = (PROJECT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert written == llms["index"](), "write it again: python tools/llms.py"


def test_it_names_every_page_with_its_first_paragraph(tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# Project\n\nWhat it\nis.\n\n- [B](b.md)\n")
    (tmp_path / "a.md").write_text("# Page A\n\nAbout A.\n")
    (tmp_path / "b.md").write_text("# Page B\n\nAbout B.\n\nMore.\n")
    assert llms["index"](tmp_path) == (
        "# Project\n\n> What it is.\n\n## Pages\n\n- [Page B](b.md): About B.\n- [Page A](a.md): About A.\n"
    )
