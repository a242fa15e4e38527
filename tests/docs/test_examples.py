"""Every Python example in the documentation and the README runs, top to bottom of its page."""

from __future__ import annotations

from collections.abc import Iterator
from doctest import ELLIPSIS
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from milo.pipeline import set_active_pipeline

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((PROJECT / "docs").rglob("*.md")), PROJECT / "README.md"]

_examples = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)])


@pytest.fixture(autouse=True)
def nothing_published() -> Iterator[None]:
    """What an example has published stays with it."""
    yield
    set_active_pipeline(None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = _examples.parse(page)
    examples = list(document.examples())
    assert examples, "a page without an example shows nothing"
    for example in examples:
        example.evaluate()
