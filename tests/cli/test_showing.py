"""Which views show a run."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from milo import Phase, Pipeline
from milo.cli.config import Config
from milo.cli.recording import Journaling
from milo.cli.settings import Settings
from milo.cli.showing import views_of
from milo.mask import NO_MASK
from milo.views.format import Output

NOTHING = Settings(
    words=(),
    params=(),
    jobs=None,
    executor="threads",
    keep_going=False,
    grace=5.0,
    dry_run=False,
    plain=False,
    tui=False,
    github=False,
    json=False,
    quiet=False,
    color=None,
    mask=NO_MASK,
    journaling=Journaling(None, False, None, "process", 1),
    config=Config(),
)


@pytest.mark.parametrize(
    ("asked", "live", "names"),
    [
        ({}, False, ["PlainView", "SummaryView"]),
        ({}, True, ["ProgressView", "SummaryView"]),
        ({"json": True}, False, ["JsonLinesView"]),
        ({"quiet": True}, False, ["SummaryView"]),
        ({"tui": True}, False, ["DetailView", "SummaryView"]),
        ({"github": True}, False, ["GithubView", "SummaryView"]),
    ],
)
def test_each_way_to_show_a_run_has_its_views(asked: dict[str, Any], live: bool, names: list[str]) -> None:
    pipeline = Pipeline("p", Phase("a", print))
    views = views_of(pipeline, replace(NOTHING, **asked), Output(io.StringIO()), live, 2, None)
    assert [type(view).__name__ for view in views] == names
