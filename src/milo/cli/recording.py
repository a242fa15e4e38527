"""What the command line says of recording: which journal, which run to go on with, and what to tell of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from milo.cli.config import Config
from milo.cli.numbers import COUNT

if TYPE_CHECKING:
    from milo.journal import Plan, RunInfo

__all__ = [
    "Journaling",
    "Unfinished",
    "journal_option",
    "journal_path",
    "plan_lines",
    "recording_options",
    "why_nothing_to_resume",
]

F = TypeVar("F", bound=Callable[..., Any])

_KEEP = 100
_NEWEST = "newest"
_OFF = ("off", "none", "")


@dataclass(frozen=True)
class Journaling:
    """What was asked for about recording.

    Attributes:
        path: The journal; None when nothing is recorded.
        required: Whether a run that cannot be recorded must fail.
        resume: The run to go on with; "" for the newest unfinished one, None for a new run.
        durability: "process" or "power".
        keep: How many runs the journal keeps.
    """

    path: Path | None
    required: bool
    resume: str | None
    durability: Literal["process", "power"]
    keep: int

    @classmethod
    def of(
        cls,
        journal: str | None,
        no_journal: bool,
        resume: str | None,
        durability: str | None,
        keep: int | None,
        config: Config,
        environ: Mapping[str, str],
    ) -> Journaling:
        """Bring options, environment and configuration together.

        Raises:
            click.UsageError: They contradict each other.
        """
        if resume is not None and resume.partition(":")[0].endswith(".py"):
            # An option that may stand without a value takes the next word, and no run is named like that.
            raise click.UsageError(
                f"--resume expects the name of a run, not the TARGET {resume!r}. Write the TARGET first: "
                f"milo run {resume} --resume"
            )
        path, asked = journal_path(journal, config, environ)
        level = durability or config.durability or "process"
        if no_journal:
            path = None
        if path is None and resume is not None:
            raise click.UsageError(
                "--resume needs the journal that --no-journal or MILO_JOURNAL=off turns off."
            )
        if path is None and level == "power":
            raise click.UsageError("--durability power needs a journal.")
        return cls(
            path,
            asked or resume is not None or level == "power",
            None if resume is None else "" if resume == _NEWEST else resume,
            cast(Literal["process", "power"], level),
            keep or config.keep or _KEEP,
        )


def journal_path(journal: str | None, config: Config, environ: Mapping[str, str]) -> tuple[Path | None, bool]:
    """The journal that is meant, None for none, and whether somebody named it."""
    from milo.journal.location import default_path

    named = journal if journal is not None else environ.get("MILO_JOURNAL")
    if named is None and config.journal is not None:
        named = config.journal
        if named.lower() not in _OFF and config.folder is not None:
            return config.folder / named, True
    if named is None:
        return default_path(Path.cwd()), False
    return (None, True) if named.lower() in _OFF else (Path(named), True)


def journal_option(function: F) -> F:
    """Add ``--journal PATH``."""
    # Not through click's envvar: MILO_JOURNAL=off has a meaning that no path has.
    return click.option(
        "--journal",
        metavar="PATH",
        help="The file that runs are recorded in (.milo/runs.db).",
    )(function)


def recording_options(function: F) -> F:
    """Add the options by which a run is recorded and resumed."""
    options = [
        click.option(
            "--resume",
            is_flag=False,
            flag_value=_NEWEST,
            metavar="[RUN]",
            envvar="MILO_RESUME",
            help="Go on with RUN, or with the newest run that was not finished; what is done is not run again.",
        ),
        journal_option,
        click.option("--no-journal", is_flag=True, envvar="MILO_NO_JOURNAL", help="Do not record the run."),
        click.option(
            "--durability",
            type=click.Choice(["process", "power"]),
            envvar="MILO_DURABILITY",
            help="What a record survives: the death of any process (process), or of the machine (power).",
        ),
        click.option(
            "--keep",
            type=COUNT,
            metavar="N",
            envvar="MILO_KEEP",
            help=f"Keep the newest N runs in the journal ({_KEEP}).",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


class Unfinished:
    """The run to go on with, and what it was given: enough to load its pipeline again.

    Args:
        path: The journal.
        run: The run's name, or the beginning of it; "" for the newest unfinished one.
        target: What is to be run, resolved; "" for whatever the run was of.

    Raises:
        JournalError: There is no such run.
    """

    def __init__(self, path: Path, run: str, target: str) -> None:
        from milo.journal import Follower

        name = run or _newest_of(path, target)
        with Follower(path, name) as follower:
            follower.poll()
            about = follower.replay.about
            self.run = follower.row.name
        self.target = about.target if about is not None else ""
        self.pairs = tuple(about.options.get("params", ())) if about is not None else ()
        self.only = tuple(about.only) if about is not None else ()


def _newest_of(path: Path, target: str) -> str:
    from milo.journal import JournalError, history

    for info in history(path, target=target):
        if _may_be_resumed(info):
            return info.row.name
    raise JournalError(
        f"There is nothing to resume: {path} holds no unfinished run of {target or 'any pipeline'}.",
        hint="Run it without --resume.",
    )


def _may_be_resumed(info: RunInfo) -> bool:
    # One that another process works on is refused where it is taken, with who that is.
    return info.resumable or info.holder is not None


def why_nothing_to_resume(path: Path | None, target: str) -> str:
    """Why a run of `target` would be a new one even if it were to go on with another; "" when there is one.

    Args:
        path: The journal; None when nothing is recorded.
        target: What would be run, resolved.

    Raises:
        JournalError: The journal cannot be read.
    """
    if path is None:
        return "the journal is turned off"
    if not path.exists():
        return f"there is no journal {path} yet"
    from milo.journal import EmptyError, history

    newest = None
    # A journal with nothing in it is one without a run.
    with suppress(EmptyError):
        for info in history(path, target=target):
            if _may_be_resumed(info):
                return ""
            newest = newest or info
    if newest is None:
        return f"{path} holds no run of {target}"
    if newest.status == "completed":
        return f"the newest one, {newest.row.name}, has completed"
    return f"the newest one, {newest.row.name}, cannot be resumed: {newest.broken or newest.status}"


def plan_lines(run: str, plan: Plan) -> str:
    """Say what is kept of a run that is resumed, and what runs again and why."""
    kept = f"{len(plan.kept)} of {len(plan.decisions)} phases kept"
    lines = [f"resumed: {kept}, nothing to unlock (run {run})"]
    again = {
        each.phase: each.reason for each in plan.decisions if each.runs and each.phase in set(plan.again)
    }
    lines += [f"again  {phase}: {reason}" for phase, reason in again.items()]
    return "".join(f"{line}\n" for line in lines)
