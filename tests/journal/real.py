"""Real runs, recorded as a session records them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from milo import Action, Pipeline, PipelineState
from milo.journal.declared import declare
from milo.journal.journal import Journal
from milo.journal.recorder import Recorder
from milo.session import Session
from tests.journal.world import about


class RecordingView:
    """Records a real run as a session will: each batch is committed before anybody else hears of it."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.actions: list[Action] = []

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        self.recorder.record(actions)
        self.actions += actions

    def close(self, state: PipelineState) -> None:
        self.recorder.finish(state)
        self.recorder.close()


def record_run(path: Path, pipeline: Pipeline, **more: Any) -> tuple[Session, PipelineState, list[Action]]:
    """Run a pipeline for real and record it; the session, its final state and its actions."""
    session = Session(pipeline, max_workers=4, **more)
    recorder = Journal(path).begin(
        session.run_id, about(pipeline, time=time.time()), declare(session.pipeline)
    )
    view = RecordingView(recorder)
    session._outbox._views.append(view)
    result = session.run()
    return session, result.state, view.actions
