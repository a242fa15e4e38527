"""What the sagas of one run share is of that run alone, and some of it may be given."""

from __future__ import annotations

from typing import Any

import milo.testing
from milo import Phase, Pipeline

from .helpers import puts


def test_each_call_of_build_saga_is_a_run_of_its_own() -> None:
    build = Pipeline("p", Phase("a", lambda: 1)).build_saga()
    ids = {puts(milo.testing.step(build))[0].payload["run_id"] for _ in range(2)}
    assert len(ids) == 2


def test_the_run_id_and_the_results_may_be_given() -> None:
    results: dict[str, Any] = {}
    saga = Pipeline("p", Phase("a", lambda: 1)).build_saga(run_id="mine", results=results)
    assert puts(milo.testing.step(saga))[0].payload["run_id"] == "mine"
    assert results == {"a": 1}
