"""The version, which stands in two places."""

from __future__ import annotations

import tomllib
from pathlib import Path

import milo


def test_the_package_has_the_version_that_it_is_published_with() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    assert milo.__version__ == project["version"]
