"""The live view on a terminal: what runs now below, what has ended above."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from milo.action import Action
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
    PIPELINE_START,
    PIPELINE_STOPPING,
    PipelineState,
)
from milo.text import safe_line, strip_sgr
from milo.views.format import Output
from milo.words import count, duration

__all__ = ["ProgressView"]

_MOST_ROWS = 12
_MOST_ENDED_AT_ONCE = 20
_ENDS = {
    PHASE_COMPLETE: ("✓", "green"),
    PHASE_FAILED: ("✗", "bold red"),
    PHASE_SKIPPED: ("↷", "yellow"),
    PHASE_CANCELLED: ("■", "yellow"),
}


@dataclass(slots=True)
class _Row:
    """A phase that has started and not ended."""

    name: str
    started: float
    attempt: int = 1
    waiting: bool = False
    line: str = ""


class ProgressView:
    """Redraws a few rows in place, about ten times a second, while phases run.

    Args:
        out: The terminal.
        color: Whether colour may be used.
        now: Monotonic seconds, as in the actions' ``at``.
        width: Columns; None asks the terminal at every redraw.
        height: Lines; None asks the terminal at every redraw.
    """

    def __init__(
        self,
        out: Output,
        *,
        color: bool = True,
        now: Callable[[], float] = time.monotonic,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        # rich decides by itself from half a dozen variables; that question is already answered.
        self._console = Console(
            file=out,  # type: ignore[arg-type]  # what rich needs of a stream: write, flush, isatty, fileno
            force_terminal=True,
            force_interactive=True,
            no_color=not color,
            color_system="standard" if color else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            width=width,
            height=height,
        )
        self._now = now
        self._rows: dict[str, _Row] = {}
        self._state = PipelineState()
        self._total = 0
        self._ended = 0
        self._failed = 0
        self._stop_by: float | None = None
        self._live: Live | None = None

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        above: list[Text] = []
        for action in actions:
            self._follow(action, state, above)
        self._state = state
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self.render,
                refresh_per_second=10,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
        if above:
            self._console.print(Text("\n").join(_shortened(above)))

    def close(self, state: PipelineState) -> None:
        self._state = state
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def render(self) -> Group:
        """Draw the bar and the rows as they are now; called by rich's own thread as well."""
        now = self._now()
        width = self._console.width
        # One step, so that a row which ends meanwhile on the other thread does no harm.
        rows = list(self._rows.values())
        stopping = self._stopping_line(now)
        room = max(1, min(_MOST_ROWS, self._console.height - 3 - len(stopping)))
        shown = rows if len(rows) <= room else rows[: room - 1]
        lines = [_one_line(text, width) for text in (*stopping, *(_row_text(row, now) for row in shown))]
        if len(shown) < len(rows):
            lines.append(_one_line(Text(f"  +{len(rows) - len(shown)} more", style="dim"), width))
        return Group(self._bar(now), *lines)

    def _bar(self, now: float) -> Table:
        state = self._state
        elapsed = now - state.started_at if state.status == "running" else state.elapsed
        done = f"{self._ended}/{count(self._total, 'phase')}"
        if self._failed:
            done += f", {self._failed} failed"
        bar = Table.grid(padding=(0, 1))
        bar.add_column(width=max(4, min(30, self._console.width // 3)))
        bar.add_column(no_wrap=True, overflow="ellipsis")
        words = f"{int(100 * state.progress):3d} %  {done}  {duration(elapsed)}"
        bar.add_row(ProgressBar(total=1.0, completed=state.progress), words)
        return bar

    def _stopping_line(self, now: float) -> list[Text]:
        if self._stop_by is None:
            return []
        words = f"stopping: waiting up to {duration(self._stop_by - now)} for what runs (Ctrl-C again ends at once)"
        return [Text(words, style="yellow")]

    def _follow(self, action: Action, state: PipelineState, above: list[Text]) -> None:
        payload = action.payload
        if action.type == PHASE_LOG:
            row = self._rows.get(payload["name"])
            if row is not None and payload["line"]:
                row.line = payload["line"]
        elif action.type == PHASE_START:
            self._started(payload)
        elif action.type == PHASE_RETRY:
            row = self._rows.get(payload["name"])
            if row is not None:
                row.waiting, row.attempt, row.line = True, payload["attempt"] + 1, payload.get("error") or ""
        elif action.type in _ENDS:
            above.append(self._end(action.type, payload))
        elif action.type == PIPELINE_START:
            self._rows, self._ended, self._failed, self._total = {}, 0, 0, len(state.phases)
        elif action.type == PIPELINE_STOPPING:
            self._stop_by = payload.get("at", 0.0) + payload.get("grace", 0.0)

    def _started(self, payload: Mapping[str, Any]) -> None:
        name = payload["name"]
        row = self._rows.get(name)
        if row is None:
            self._rows[name] = _Row(name, payload.get("at", 0.0), payload.get("attempt", 1))
        else:
            row.waiting, row.attempt = False, payload.get("attempt", row.attempt)

    def _end(self, kind: str, payload: Mapping[str, Any]) -> Text:
        self._ended += 1
        self._failed += kind == PHASE_FAILED
        row = self._rows.pop(payload["name"], None)
        mark, style = _ENDS[kind]
        text = Text.assemble((mark, style), " ", _clean(payload["name"]))
        if row is not None and "at" in payload:
            text.append(f"  {duration(payload['at'] - row.started)}", "dim")
        error = payload.get("error")
        if error:
            text.append(f"  {_clean(error)}", style)
        return text


def _row_text(row: _Row, now: float) -> Text:
    text = Text("  ")
    text.append("↻ " if row.waiting else "▸ ", "yellow" if row.waiting else "cyan")
    text.append(_clean(row.name), "bold")
    text.append(f"  {duration(now - row.started)}", "dim")
    if row.waiting:
        text.append(f"  waiting for attempt {row.attempt}", "yellow")
    elif row.attempt > 1:
        text.append(f"  attempt {row.attempt}", "yellow")
    if row.line:
        text.append(f"  {_clean(row.line)}", "dim")
    return text


def _one_line(text: Text, width: int) -> Text:
    text.no_wrap = True
    # Counts cells, not characters: a wide character that wrapped would leave a row behind at every redraw.
    text.truncate(width, overflow="ellipsis")
    return text


def _shortened(above: list[Text]) -> list[Text]:
    """Keep thousands of phases that end at once from flooding the terminal; the summary names failures."""
    if len(above) <= _MOST_ENDED_AT_ONCE:
        return above
    rest = len(above) - _MOST_ENDED_AT_ONCE
    return [*above[:_MOST_ENDED_AT_ONCE], Text(f"… and {count(rest, 'more phase')} ended", style="dim")]


def _clean(text: str) -> str:
    return strip_sgr(safe_line(text[:2000])).expandtabs(4)
