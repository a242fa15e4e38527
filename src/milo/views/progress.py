"""The live view on a terminal: what runs now below, what has ended above."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
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
from milo.terminal.cells import clip, width
from milo.terminal.live import LiveRows
from milo.text import safe_line, strip_sgr
from milo.views.format import Output
from milo.words import count, duration

__all__ = ["ProgressView"]

_REDRAW_S = 0.1
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
        self._above = _Above()
        self._state = PipelineState()
        self._total = 0
        self._ended = 0
        self._failed = 0
        self._stop_by: float | None = None
        self._out = out
        # A real xterm and the Linux console cut lines off where others break them anew.
        cuts = "XTERM_VERSION" in os.environ or os.environ.get("TERM") == "linux"
        self._live = LiveRows(reflows=not cuts)
        self._lock = threading.Lock()  # guards everything above
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        with self._lock:
            for action in actions:
                self._follow(action, state)
            self._state = state
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_drawing, name="milo-progress", daemon=True)
            self._thread.start()

    def close(self, state: PipelineState) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._state = state
            columns, lines = self._console.size
            self._out.write(self._live.clear(self._lines(*self._above.take()), columns, lines))

    def _keep_drawing(self) -> None:
        self._draw()
        # However fast actions come, and however little happens: what is shown is the time as well.
        while not self._closed.wait(_REDRAW_S):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            columns, lines = self._console.size
            above = self._lines(*self._above.take())
            self._out.write(self._live.draw(above, self._lines(self.render()), columns, lines))

    def _lines(self, *parts: RenderableType) -> list[str]:
        """What rich makes of these, as lines with colour."""
        if not parts:
            return []
        with self._console.capture() as captured:
            self._console.print(*parts, sep="\n")
        return captured.get().removesuffix("\n").split("\n")

    def render(self) -> Group:
        """Draw the bar and the rows as they are now."""
        now = self._now()
        columns = self._console.width
        rows = list(self._rows.values())
        stopping = self._stopping_line(now)
        room = max(1, min(_MOST_ROWS, self._console.height - 3 - len(stopping)))
        shown = rows if len(rows) <= room else rows[: room - 1]
        texts = [*stopping, *_row_texts(shown, now, columns)]
        if len(shown) < len(rows):
            texts.append(Text(f"  +{len(rows) - len(shown)} more", style="dim"))
        lines = [_one_line(text, columns) for text in texts]
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

    def _follow(self, action: Action, state: PipelineState) -> None:
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
            self._end(action.type, payload)
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

    def _end(self, kind: str, payload: Mapping[str, Any]) -> None:
        self._ended += 1
        self._failed += kind == PHASE_FAILED
        row = self._rows.pop(payload["name"], None)
        took = payload["at"] - row.started if row is not None and "at" in payload else None
        self._above.add(kind, payload, took)


class _Above:
    """The phases that have ended since the rows were drawn last.

    Thousands that end at once must not flood the terminal: some of those that completed are only counted.
    """

    def __init__(self) -> None:
        self._lines: list[tuple[bool, Text]] = []
        self._completed = 0
        self._left_out = 0

    def add(self, kind: str, payload: Mapping[str, Any], took: float | None) -> None:
        completed = kind == PHASE_COMPLETE
        kept = self._completed if completed else len(self._lines) - self._completed
        if kept >= _MOST_ENDED_AT_ONCE:
            self._left_out += 1
            return
        self._completed += completed
        mark, style = _ENDS[kind]
        text = Text.assemble((mark, style), " ", _clean(payload["name"]))
        if took is not None:
            text.append(f"  {duration(took)}", "dim")
        if error := payload.get("error"):
            text.append(f"  {_clean(error)}", style)
        self._lines.append((completed, text))

    def take(self) -> list[Text]:
        """A line for each, or for as many as a person can take in."""
        lines = [text for _, text in self._lines]
        if self._left_out:
            lines.append(Text(f"… and {count(self._left_out, 'more phase')} ended", style="dim"))
        self._lines, self._completed, self._left_out = [], 0, 0
        return lines


def _row_texts(rows: Sequence[_Row], now: float, columns: int) -> list[Text]:
    """The rows in columns: names that are too long lose their middle, for what differs is often at their end."""
    names = [_clean(row.name) for row in rows]
    times = [duration(now - row.started) for row in rows]
    name_width = min(max(map(width, names), default=0), max(8, columns // 2 - 4))
    time_width = max(map(len, times), default=0)
    return [
        _row_text(row, _middle_out(name, name_width), time.rjust(time_width))
        for row, name, time in zip(rows, names, times, strict=True)
    ]


def _row_text(row: _Row, name: str, time: str) -> Text:
    text = Text("  ")
    text.append("↻ " if row.waiting else "▸ ", "yellow" if row.waiting else "cyan")
    text.append(name, "bold")
    text.append(f"  {time}", "dim")
    if row.waiting:
        text.append(f"  waiting for attempt {row.attempt}", "yellow")
    elif row.attempt > 1:
        text.append(f"  attempt {row.attempt}", "yellow")
    if row.line:
        text.append(f"  {_clean(row.line)}", "dim")
    return text


def _middle_out(name: str, columns: int) -> str:
    """A name in exactly so many cells."""
    cells = width(name)
    if cells > columns:
        head = (columns - 1) // 2
        name = f"{clip(name, head)}…{clip(name, columns - 1 - head, cells - (columns - 1 - head))}"
    return name + " " * (columns - width(name))


def _one_line(text: Text, columns: int) -> Text:
    text.no_wrap = True
    # Counts cells, not characters: a wide character that wrapped would leave a row behind at every redraw.
    text.truncate(columns, overflow="ellipsis")
    return text


def _clean(text: str) -> str:
    return strip_sgr(safe_line(text[:2000])).expandtabs(4)
