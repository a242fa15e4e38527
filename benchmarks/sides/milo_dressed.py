"""milo as people run it: output captured, `on_state` called, plain lines written, everything recorded."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from milo import Phase, Pipeline, PipelineState
from milo.session import Session
from milo.session.recording import JournalOptions, begin
from milo.views.format import Output
from milo.views.plain import PlainView
from shapes import Graph, Handlers, Results

NOTE = "capture, on_state, plain lines, journal"

Job = tuple[Pipeline, int]


def declare(graph: Graph, handlers: Handlers, workers: int) -> Job:
    """Like the plain side, with the output of handlers captured."""
    phases = [Phase(name, handlers[name], depends_on=before, parallel=True) for name, before in graph.items()]
    return Pipeline("bench", *phases, capture_output=True), workers


def execute(job: Job) -> Results:
    """Run it as the command line would, with the lines going to the null device."""
    pipeline, workers = job
    seen: list[str] = []

    def on_state(state: PipelineState) -> None:
        seen[:] = [state.status]

    with open(os.devnull, "w", encoding="utf-8") as out, tempfile.TemporaryDirectory() as folder:
        recording = begin(pipeline, JournalOptions(Path(folder) / "runs.db"))
        views = [PlainView(Output(out))]
        session = Session(pipeline, max_workers=workers, on_state=on_state, views=views, recording=recording)
        result = session.run()
    if not result.ok or seen != ["completed"]:
        raise AssertionError(f"the run ended {result.state.status}, and on_state was last told {seen}")
    return result.results
