"""`milo show`: one recorded run, its phases with their times, what failed and why, and what they printed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from milo.cli.options import debug_option
from milo.cli.reading import journal_file, reading_options, say, when
from milo.terminal.cells import pad, width
from milo.text import safe_line
from milo.views.format import Painter, kept_output
from milo.words import count, duration

if TYPE_CHECKING:
    from milo.journal import Follower
    from milo.pipeline import PhaseStatus

__all__ = ["Verdict", "command"]

_LAST_LINES = 10
_COLORS = {
    "completed": "green",
    "failed": "red",
    "skipped": "yellow",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "retrying": "yellow",
    "running": "cyan",
}
_FAILED = 1


@dataclass(frozen=True)
class Verdict:
    """What came of replaying a run.

    Attributes:
        ok: Whether nothing speaks against it.
        actions: How many actions were replayed.
        ends: How many recorded ends the replayed state was compared with.
        message: For people.
    """

    ok: bool
    actions: int
    ends: int
    message: str


@click.command("show", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", required=False, default="", metavar="[RUN]")
@click.argument("phases", nargs=-1, metavar="[PHASE]...")
@click.option(
    "--verify",
    is_flag=True,
    envvar="MILO_VERIFY",
    help="Send the recorded actions through the reducer again and compare; status 1 if something differs.",
)
@reading_options
@debug_option
def command(
    run: str, phases: tuple[str, ...], verify: bool, as_json: bool, journal: str | None, color: bool | None
) -> int:
    """Show a recorded run: the one worked on last, or the one whose name is RUN or begins with it.

    With phases after RUN: all of their lines that the journal has kept.

    \b
    Examples:
      milo show
      milo show 20260131-0915 test   what the phase "test" of that run printed
      milo show --json | jq .status
      milo show --verify
    """
    from milo.journal import Follower

    path = journal_file(journal)
    with Follower(path, run or None) as follower:
        follower.poll()
        shown = _Shown(path, follower)
        shown.require(phases)
        verdict = _verified(follower) if verify else None
        if as_json:
            click.echo(json.dumps(shown.as_dict(verdict)))
        else:
            say(lambda paint: shown.as_text(phases, verdict, paint), color)
    return _FAILED if verdict is not None and not verdict.ok else 0


def _verified(follower: Follower) -> Verdict:
    """Reading has replayed the run already; this says what that came to."""
    replayed = follower.replay
    actions, ends = count(replayed.actions, "action"), len(replayed.verdicts)
    wrong = follower.damage
    if not wrong and follower.lost_lines:
        wrong = f"{count(follower.lost_lines, 'log line')} cannot be trusted and left out"
    if not wrong and not all(replayed.verdicts):
        wrong = "the replayed state is not the one that was recorded at the end"
    if wrong:
        return Verdict(False, replayed.actions, ends, f"not verified: {safe_line(wrong)}")
    if not ends:
        # The chain and the reducer have nothing against it, but there is nothing to compare the state with.
        return Verdict(True, replayed.actions, 0, f"{actions} replayed, no end recorded to compare with")
    return Verdict(
        True, replayed.actions, ends, f"verified: {actions} replayed, the state is the recorded one"
    )


class _Shown:
    """A run as it is shown."""

    def __init__(self, path: Path, follower: Follower) -> None:
        self._path = path
        self._follower = follower
        self._state = follower.state
        self._status = follower.status()
        self._statuses = tuple(self._state.phases)

    def require(self, phases: Sequence[str]) -> None:
        """Refuse phases that the run has not."""
        known = [phase.name for phase in self._statuses]
        for name in phases:
            if name not in known:
                from milo.journal import JournalError

                raise JournalError(
                    f"Run {self._follower.row.name} has no phase {name!r}.",
                    hint=f"Its phases: {', '.join(known[:20])}.",
                )

    def as_dict(self, verdict: Verdict | None) -> dict[str, Any]:
        """The timeline for programs."""
        from milo.pipeline import pipeline_to_timeline

        timeline = pipeline_to_timeline(self._state, self._now())
        timeline["status"] = self._status
        if verdict is not None:
            timeline["verify"] = {"ok": verdict.ok, "actions": verdict.actions, "message": verdict.message}
        return timeline

    def _now(self) -> float | None:
        """The moment up to which it is known to have run; None when its end is recorded."""
        if self._state.status != "running":
            return None
        if self._status == "running":
            # The same clock in all processes of a machine.
            return max(time.monotonic(), self._last_known())
        return self._last_known()

    def _last_known(self) -> float:
        known = (
            phase.started_at + phase.elapsed for phase in self._statuses if self._is_of_this_sitting(phase)
        )
        return max(known, default=self._state.started_at)

    def _is_of_this_sitting(self, phase: PhaseStatus) -> bool:
        # What was kept of an earlier process may have the times of a machine's earlier start.
        return phase.status != "pending" and phase.started_at >= self._state.started_at

    def as_text(self, phases: Sequence[str], verdict: Verdict | None, paint: Painter) -> str:
        """The run for people."""
        lines = self._head(paint)
        shown = [phase for phase in self._statuses if not phases or phase.name in phases]
        wide = max((width(phase.name) for phase in shown), default=0)
        lines += [self._row(phase, wide, paint) for phase in shown]
        for phase in shown:
            if phases or phase.status in ("failed", "running", "retrying"):
                lines += self._details(phase, paint, all_lines=bool(phases))
        if self._follower.damage:
            lines.append(paint(f"the journal is damaged {safe_line(self._follower.damage)}", "red"))
        if verdict is not None:
            lines.append(paint(verdict.message, "green" if verdict.ok else "red"))
        return "\n".join(lines) + "\n"

    def _head(self, paint: Painter) -> list[str]:
        row, about = self._follower.row, self._follower.replay.about
        now = self._now()
        elapsed = self._state.elapsed if now is None else now - self._state.started_at
        status = paint(self._status, _COLORS.get(self._status, "bold"), "bold")
        # How long a run took whose end is not recorded cannot be told.
        took = "" if self._status == "interrupted" else f" in {duration(elapsed)}"
        lines = [f"{paint(safe_line(row.pipeline), 'bold')} {status}{took}"]
        lines.append(f"  run      {safe_line(row.name)}, begun {when(row.started)}{self._sittings()}")
        if about is not None and about.target:
            pairs = "".join(f" -p {safe_line(str(pair))}" for pair in about.options.get("params", ()))
            only = "".join(f" {safe_line(name)}" for name in about.only)
            lines.append(f"  target   {safe_line(about.target)}{only}{pairs}")
        holder = self._follower.holder()
        if holder is not None:
            lines.append(f"  at work  {holder}")
        return [*lines, f"  journal  {safe_line(str(self._path))}", ""]

    def _sittings(self) -> str:
        resumed = self._follower.replay.sittings - 1
        return f", resumed {'once' if resumed == 1 else f'{resumed} times'}" if resumed > 0 else ""

    def _row(self, phase: PhaseStatus, wide: int, paint: Painter) -> str:
        status = "interrupted" if self._is_cut_off(phase) else phase.status
        cells = [pad(phase.name, wide), paint(f"{status:11}", _COLORS.get(status, "dim"))]
        if phase.status != "pending":
            of_this = self._is_of_this_sitting(phase)
            offset = phase.started_at - self._state.started_at
            cells.append(f"{f'+{duration(offset)}' if of_this else 'earlier':>12}")
            cells.append(f"{self._elapsed(phase):>11}")
            cells.append(f"attempt {phase.attempt}" if phase.attempt > 1 else "")
        return "  ".join(cells).rstrip()

    def _elapsed(self, phase: PhaseStatus) -> str:
        if phase.status in ("running", "retrying"):
            now = self._now()
            return "-" if now is None or self._is_cut_off(phase) else duration(now - phase.started_at)
        return duration(phase.elapsed)

    def _is_cut_off(self, phase: PhaseStatus) -> bool:
        return phase.status in ("running", "retrying") and self._status == "interrupted"

    def _details(self, phase: PhaseStatus, paint: Painter, *, all_lines: bool) -> list[str]:
        if not (phase.error or phase.logs):
            return []
        lines = ["", paint(phase.name, "bold")]
        lines += [f"  {line}" for line in paint.foreign(phase.error or "").splitlines()]
        for log in phase.logs if all_lines else phase.logs[-_LAST_LINES:]:
            mark = paint("!" if log.stream == "stderr" else "|", "dim")
            lines.append(f"  {mark} {paint.foreign(log.line)}")
        output = self._output(phase.name)
        if output is not None:
            lines.append(paint(f"  {kept_output(cut=self._is_cut_off(phase))}: {output}", "dim"))
        return lines

    def _output(self, name: str) -> Path | None:
        from milo.journal import output_path

        names = [phase.name for phase in self._statuses]
        path = output_path(self._path, self._follower.row.name, names, name)
        return path if path.exists() else None
