"""The run in the log of a GitHub Actions job: a group a phase, annotations for failures, and a summary of the job."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from milo.action import Action
from milo.log import log
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
    PhaseStatus,
    PipelineState,
)
from milo.text import strip_sgr
from milo.views.format import Output, Painter, some
from milo.words import count, duration

__all__ = ["GithubOutput", "GithubView", "inert"]

MOST_KEPT: Final = 4 * 1024 * 1024
"""How many characters of a phase's output are kept until its end; the last ones."""

_MOST_OF_AN_ERROR: Final = 4000
_MOST_ROWS: Final = 500
_MOST_TOLD: Final = 20
_LAST_LINES: Final = 20
_MOST_OF_A_LINE: Final = 500
_MARKS: Final = {"completed": "✅", "failed": "❌", "skipped": "⏭️", "cancelled": "🚫", "pending": "➖"}
_ENDS: Final = {
    PHASE_COMPLETE: "done",
    PHASE_FAILED: "FAILED",
    PHASE_SKIPPED: "skip",
    PHASE_CANCELLED: "cancel",
}

Payload = Mapping[str, Any]


def inert(text: str) -> str:
    """Text in whose lines the runner of a job finds no commands: neither ``::command::`` nor ``##[command]``."""
    if "::" not in text and "##[" not in text:
        return text
    return "\n".join(map(_inert_line, text.split("\n")))


def _inert_line(line: str) -> str:
    if strip_sgr(line).lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line.replace("##[", "## [")


class GithubOutput(Output):
    """The log of a job: nothing that is written to it is a command, unless it is given as one."""

    def write(self, text: str) -> int:
        return super().write(inert(text))

    def command(self, text: str) -> None:
        """Write lines as they are; what in them is not milo's own has to be escaped already."""
        super().write(text)


class GithubView:
    """Writes a phase's output when the phase has ended, as a group, so that phases beside each other do not mix.

    Args:
        out: The log.
        color: Whether colour sequences may be written.
        summary: The file to which a summary of the job is added; None where there is none.
    """

    def __init__(self, out: GithubOutput, *, color: bool = False, summary: Path | None = None) -> None:
        self._out = out
        self._paint = Painter(color)
        self._summary = summary
        self._started: dict[str, float] = {}
        self._kept: dict[str, _Kept] = {}
        self._tell: dict[str, Callable[[Payload], str]] = {
            PHASE_START: self._start,
            PHASE_LOG: self._log,
            PHASE_RETRY: self._retry,
            PIPELINE_STOPPING: self._stopping,
        }

    def on_actions(self, actions: Sequence[Action], state: PipelineState) -> None:
        pieces = []
        for action in actions:
            if action.type in _ENDS:
                pieces.append(self._end(action.type, action.payload))
            elif action.type in self._tell:
                pieces.append(self._tell[action.type](action.payload))
            elif action.type == PIPELINE_START:
                pieces.append(f"{inert(state.name)}: {count(len(state.phases), 'phase')}\n")
        self._out.command("".join(pieces))

    def close(self, state: PipelineState) -> None:
        self._out.command("".join([self._group(name, f"{name} has not ended") for name in list(self._kept)]))
        if self._summary is not None:
            try:
                with self._summary.open("a", encoding="utf-8") as file:
                    file.write(summary_of(state))
            except OSError as error:
                log.warning("The summary of the job cannot be written: %s", error)

    # Each gives lines that are safe to be read by the runner.

    def _start(self, payload: Payload) -> str:
        self._started.setdefault(payload["name"], payload.get("at", 0.0))
        attempt = payload.get("attempt", 1)
        return f"start  {inert(payload['name'])}{f' (attempt {attempt})' if attempt > 1 else ''}\n"

    def _log(self, payload: Payload) -> str:
        self._kept.setdefault(payload["name"], _Kept()).add(payload["line"])
        return ""

    def _retry(self, payload: Payload) -> str:
        delay = payload.get("delay")
        wait = f", next in {duration(delay)}" if delay else ""
        attempts = f"attempt {payload['attempt']} of {payload.get('max_retries', 0) + 1} failed{wait}"
        told = f"{payload['name']}: {attempts}: {self._paint.foreign(payload.get('error') or '')}"
        self._kept.setdefault(payload["name"], _Kept()).add(told.partition("\n")[0])
        return inert(f"retry  {told}") + "\n"

    def _stopping(self, payload: Payload) -> str:
        waiting = some(list(self._started)) or "nothing"
        return f"stop   waiting up to {duration(payload.get('grace', 0.0))} for {inert(waiting)}\n"

    def _end(self, kind: str, payload: Payload) -> str:
        name = payload["name"]
        started = self._started.pop(name, None)
        took = "" if started is None or "at" not in payload else f" ({duration(payload['at'] - started)})"
        lines = self._group(name, f"{_ENDS[kind]:<6} {name}{took}")
        error = payload.get("error") or ""
        if kind == PHASE_FAILED:
            lines += _annotation("error", f"{name} failed", error)
        elif kind == PHASE_SKIPPED:
            lines += _annotation("warning", f"{name} was skipped", error)
        return lines

    def _group(self, name: str, title: str) -> str:
        kept = self._kept.pop(name, None)
        if kept is None:
            return inert(title) + "\n"
        lines = "".join([f"{inert(self._paint.foreign(line))}\n" for line in kept.lines()])
        return f"::group::{_data(strip_sgr(title))}\n{lines}::endgroup::\n"


class _Kept:
    """The last lines of a phase that has not ended."""

    __slots__ = ("_length", "_lines", "_lost")

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._length = 0
        self._lost = 0

    def add(self, line: str) -> None:
        if len(line) >= MOST_KEPT:
            line = line[: MOST_KEPT - 2] + "…"
        self._lines.append(line)
        self._length += len(line) + 1
        while self._length > MOST_KEPT:
            self._length -= len(self._lines.popleft()) + 1
            self._lost += 1

    def lines(self) -> list[str]:
        lost = [f"… {count(self._lost, 'line')} before this left out"] if self._lost else []
        return [*lost, *self._lines]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _annotation(kind: str, title: str, message: str) -> str:
    title = _data(strip_sgr(title)).replace(":", "%3A").replace(",", "%2C")
    message = strip_sgr(message)
    if len(message) > _MOST_OF_AN_ERROR:
        message = message[:_MOST_OF_AN_ERROR] + "…"
    return f"::{kind} title={title}::{_data(message) or '(it gave no message)'}\n"


# The summary of the job is Markdown; whatever comes from a phase is text in it.


def summary_of(state: PipelineState) -> str:
    """The run as Markdown: how it ended, its phases with their times, and what failed."""
    phases = sorted(state.phases, key=_importance) if len(state.phases) > _MOST_ROWS else list(state.phases)
    lines = [f"### {_cell(state.name)} {state.status} in {duration(state.elapsed)}", ""]
    if phases:
        lines += ["| | Phase | Status | Time | Attempts |", "|---|---|---|---:|---:|"]
    lines += [_row(phase) for phase in phases[:_MOST_ROWS]]
    if len(phases) > _MOST_ROWS:
        lines += ["", f"and {count(len(phases) - _MOST_ROWS, 'more phase')}"]
    for phase in [phase for phase in phases if phase.status == "failed"][:_MOST_TOLD]:
        lines += [
            "",
            f"<details><summary>{_cell(phase.name)} failed</summary>",
            "",
            _details(phase),
            "</details>",
        ]
    return "\n".join(lines) + "\n\n"


def _importance(phase: PhaseStatus) -> tuple[int, float]:
    order = ("failed", "cancelled", "skipped", "retrying", "running", "completed")
    return order.index(phase.status) if phase.status in order else len(order), -phase.elapsed


def _row(phase: PhaseStatus) -> str:
    started = phase.status != "pending"
    time, attempts = (duration(phase.elapsed), str(phase.attempt)) if started else ("", "")
    status = "not started" if not started else phase.status
    return f"| {_MARKS.get(phase.status, '⏳')} | {_cell(phase.name)} | {status} | {time} | {attempts} |"


def _details(phase: PhaseStatus) -> str:
    lines = [*(phase.error or "").splitlines()[:_LAST_LINES], ""]
    lines += [each.line for each in phase.logs[-_LAST_LINES:]]
    text = "\n".join([strip_sgr(line)[:_MOST_OF_A_LINE] for line in lines])
    return f"<pre>{html.escape(text).strip()}</pre>"


def _cell(text: str) -> str:
    """Text in which no character means anything to Markdown or HTML."""
    return re.sub(r"[^\w\s]|_", lambda found: f"&#{ord(found[0])};", " ".join(strip_sgr(text).split()))
