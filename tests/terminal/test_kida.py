"""Kida is an engine for those who have it, and a clear error for those who do not."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from milo.errors import StateError
from milo.terminal.kida import KidaEngine
from milo.terminal.templates import TemplateError


def test_without_kida_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kida", None)
    with pytest.raises(StateError, match='Install "kida-templates"'):
        KidaEngine([], {}, {})


class FakeTemplateError(Exception):
    """Stands in for kida.TemplateError."""


class FakeMissingError(FakeTemplateError):
    """Stands in for kida.TemplateNotFoundError."""


class FakeTemplate:
    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, **context: Any) -> str:
        if "broken" in self._text:
            error = FakeTemplateError("Undefined variable 'x'\n  a drawing")
            error.lineno = 1  # type: ignore[attr-defined]
            raise error
        return self._text.format(**context)


class FakeEnvironment:
    def __init__(self, loader: Any, **options: Any) -> None:
        self.folders = [Path(folder) for folder in loader]
        self.options = options
        self.known: dict[str, Any] = {}
        self.add_global = self.add_filter = self.known.__setitem__

    def get_template(self, name: str) -> FakeTemplate:
        for folder in self.folders:
            if (folder / name).exists():
                return FakeTemplate((folder / name).read_text())
        raise FakeMissingError(name)

    def from_string(self, text: str, name: str) -> FakeTemplate:
        if "syntax" in text:
            raise FakeTemplateError("Expected '}}'")
        return FakeTemplate(text)


@pytest.fixture
def kida(monkeypatch: pytest.MonkeyPatch) -> list[FakeEnvironment]:
    """Kida's interface, as far as it is used; the real one needs a newer Python."""
    made: list[FakeEnvironment] = []

    def terminal_env(**options: Any) -> FakeEnvironment:
        made.append(FakeEnvironment(**options))
        return made[-1]

    package, terminal = types.ModuleType("kida"), types.ModuleType("kida.terminal")
    package.TemplateError, package.TemplateNotFoundError = FakeTemplateError, FakeMissingError  # type: ignore[attr-defined]
    package.FileSystemLoader = list  # type: ignore[attr-defined]
    terminal.terminal_env = terminal_env  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kida", package)
    monkeypatch.setitem(sys.modules, "kida.terminal", terminal)
    return made


def test_kida_gets_the_folders_and_the_helpers(kida: list[FakeEnvironment], tmp_path: Path) -> None:
    (tmp_path / "view").write_text("count {state}")
    engine = KidaEngine([tmp_path, tmp_path / "missing"], {"meter": len}, {"fit": str})
    assert engine.load("view")({"state": 3}) == "count 3"
    assert kida[0].known == {"meter": len, "fit": str}
    assert kida[0].folders == [tmp_path], "it refuses folders that are not there"
    assert kida[0].options["bytecode_cache"] is False, "nothing is written beside the templates"


def test_its_errors_are_told_like_those_of_jinja(kida: list[FakeEnvironment], tmp_path: Path) -> None:
    (tmp_path / "view").write_text("broken {{ x }}")
    engine = KidaEngine([tmp_path], {}, {})
    with pytest.raises(
        TemplateError, match=r"view, line 1: Undefined variable 'x'\. The line reads: broken"
    ) as caught:
        engine.load("view")({})
    assert caught.value.line == 1
    assert "Kida template" not in caught.value.hint
    with pytest.raises(TemplateError, match="'nowhere' is in none of these folders"):
        engine.load("nowhere")
    with pytest.raises(TemplateError, match="<template>: Expected '}}'"):
        engine.from_text("syntax {{")
