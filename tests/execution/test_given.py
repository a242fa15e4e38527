"""Modules that milo has loaded from the files it was given, told from those that were imported."""

from __future__ import annotations

from types import ModuleType

from milo.execution.given import is_given, mark_given


def test_only_a_module_that_was_marked_is_given() -> None:
    module = ModuleType("build")
    assert not is_given(module)
    mark_given(module)
    assert is_given(module)
    assert not is_given(None)
