"""Showing: the views that a run of the command line is shown through."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from milo.action import INIT, Action
from milo.cli.ci import summary_file
from milo.cli.mode import wants_color
from milo.cli.settings import Settings
from milo.views.format import Output
from milo.views.summary import SummaryView

if TYPE_CHECKING:
    from milo.pipeline import Pipeline
    from milo.session import View
    from milo.session.recording import Recording
    from milo.views.github import GithubOutput

__all__ = ["views_of"]


def views_of(
    pipeline: Pipeline, settings: Settings, out: Output, live: bool, workers: int, recording: Recording | None
) -> list[View]:
    """Make the views of a run.

    Args:
        pipeline: What is run.
        settings: Which views were asked for.
        out: Where they write.
        live: Whether what it shows is drawn again in place.
        workers: How many phases may run at once.
        recording: The run's journal.

    Returns:
        The view of the run, and after it the summary where there is one.
    """
    # Imported where chosen: only the live view needs rich.
    if settings.json:
        from milo.views.json_lines import JsonLinesView

        return [JsonLinesView(out)]
    color = wants_color(os.environ, tty=out.isatty(), flag=settings.color)
    summary = SummaryView(
        pipeline,
        out,
        color=color,
        quiet=settings.quiet,
        workers=workers,
        output_path=recording.output_path if recording is not None else None,
        output_cut=lambda: recording is not None and recording.error is not None,
    )
    if settings.github:
        from milo.views.github import GithubView

        log = cast("GithubOutput", out)
        return [GithubView(log, color=color, summary=summary_file(os.environ)), summary]
    if settings.tui:
        from milo.views.detail import DetailView

        before = recording.state if recording is not None else None
        state = before or pipeline.build_reducer()(None, Action(INIT))
        return [DetailView(state, color=settings.color, asks=True, closes=True), summary]
    if settings.quiet:
        return [summary]
    if live:
        from milo.views.progress import ProgressView

        return [ProgressView(out, color=color), summary]
    from milo.views.plain import PlainView

    return [PlainView(out, color=color), summary]
