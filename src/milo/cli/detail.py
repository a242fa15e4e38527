"""`milo run --tui`: whether the detail view is meant, and a run beside it on a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from milo.cli.config import Config
from milo.cli.mode import is_true
from milo.log import log
from milo.session.news import News
from milo.views.format import Output, some
from milo.words import duration

if TYPE_CHECKING:
    from milo.session import Session, View
    from milo.session.session import RunResult
    from milo.views.detail import DetailView

__all__ = ["detail_option", "given", "run_in_detail", "wants_detail"]

F = TypeVar("F", bound=Callable[..., Any])

_PATIENCE_S = 0.3


def detail_option(function: F) -> F:
    """Add ``--tui``."""
    return click.option(
        "--tui/--no-tui",
        default=None,
        envvar="MILO_TUI",
        help="Show the run in detail on the whole terminal: its phases, and the log of each.",
    )(function)


def wants_detail(
    ctx: click.Context, config: Config, environ: Mapping[str, str], *, tty: bool, others: Mapping[str, str]
) -> bool:
    """Tell whether the run is to be shown in the detail view.

    A flag is a demand; the environment and pyproject.toml are a preference, for terminals with a person before them.

    Args:
        ctx: Of the command, which has a parameter ``tui``.
        config: The settings of the project.
        environ: The environment.
        tty: Whether stdout is a terminal.
        others: The parameters that ask for another view, and their flags.

    Raises:
        click.UsageError: It was demanded and cannot be.
    """
    able = tty and environ.get("TERM") != "dumb"
    chosen = [flag for name, flag in others.items() if ctx.params.get(name)]
    asked = ctx.params.get("tui")
    if asked and ctx.get_parameter_source("tui") == ParameterSource.COMMANDLINE:
        flags = [flag for name, flag in others.items() if given(ctx, name)]
        if flags:
            raise click.UsageError(f"--tui and {flags[0]} exclude each other: both say how to show the run.")
        if not able:
            raise click.UsageError(
                "--tui needs a terminal to draw on, and standard output is none. Leave it out for plain lines."
            )
        return True
    preferred = config.tui if asked is None else asked
    return bool(preferred) and able and not chosen and not is_true(environ.get("CI", ""))


def given(ctx: click.Context, name: str) -> bool:
    """Whether a flag stands on the command line and is on."""
    return bool(ctx.params.get(name)) and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE


def run_in_detail(
    session: Session, view: DetailView, summary: View, out: Output, cancel: Callable[[], None]
) -> RunResult:
    """Run a session on a thread beside its view, which has this one: signals and keys arrive here.

    Args:
        session: The run; `view` is one of its views.
        view: What is shown until somebody quits, or the run has ended and nobody has pressed a key.
        summary: Told of the end when the screen is as it was.
        out: The terminal, for what is said after that.
        cancel: Called when the view was left before the run had ended.

    Raises:
        BaseException: What ended the session.
    """
    beside = _Beside(session, view)
    try:
        return _shown(beside, session, view, out, cancel)
    finally:
        summary.close(view.state)


def _shown(
    beside: _Beside, session: Session, view: DetailView, out: Output, cancel: Callable[[], None]
) -> RunResult:
    try:
        view.show(beside.start)
    except KeyboardInterrupt:
        session.cancel()
        beside.wait(out)
        raise
    except Exception as error:  # noqa: BLE001 - a view that breaks never hurts the run
        log.warning("The detail view has ended: %s The run goes on.", error)
    else:
        if not view.over:
            cancel()
            return beside.wait(out)
    return beside.wait(None)


class _Beside:
    """A session that runs on a thread of its own."""

    def __init__(self, session: Session, view: DetailView) -> None:
        self._session = session
        self._view = view
        self._ended = News()
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="milo-run", daemon=True)

    def start(self) -> None:
        """Start the run, unless it was started."""
        if self._thread.ident is None:
            self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._session.run()
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`, on the thread that everything is for
            self._error = error
            self._view.leave()
        finally:
            self._ended.put(None)

    def wait(self, out: Output | None) -> RunResult:
        """Wait for the end of the run; say so to `out`, where it was cancelled and takes its time to end."""
        # A view that was ended before it had begun has started nothing; a run that was cancelled then says so itself.
        self.start()
        try:
            self._ended.get(None if out is None else _PATIENCE_S)
        except queue.Empty:
            if out is not None:
                out.write(self._waiting())
            self._ended.get(None)
        if self._result is None:
            raise self._error or RuntimeError("The run has ended without a result.")
        return self._result

    def _waiting(self) -> str:
        phases = self._view.state.phases
        running = [phase.name for phase in phases if phase.status in ("running", "retrying")]
        whom = f"up to {duration(self._session.grace)} for {some(running)}" if running else "for the end"
        return f"stop   waiting {whom} (Ctrl-C again ends at once)\n"
