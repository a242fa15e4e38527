"""The pipeline of the documentation in the detail view, with a template of its own."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from milo import App
from milo.pipeline import make_detail_reducer

FILE = Path(__file__).resolve().parents[2] / "examples" / "detail.py"


def test_it_runs_to_its_end_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("COLUMNS", "60")
    runpy.run_path(str(FILE), run_name="__main__")
    assert (
        capsys.readouterr().out.split()
        == (
            f"build {'━' * 20} completed ❯ discover completed parse completed render completed "
            "assets completed write completed"
        ).split()
    )


def test_its_pipeline_is_that_of_the_documentation() -> None:
    example = runpy.run_path(str(FILE))
    pipeline = example["pipeline"]
    assert pipeline.execution_order() == ["discover", "parse", "assets", "render", "write"]
    app = App(example["TEMPLATE"], make_detail_reducer(pipeline.build_reducer()))
    assert "❯ discover     pending" in app.render()
    app.store.shutdown()
