"""`milo follow`: the detail view of a run that another process records, live or finished."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from milo.cli.options import debug_option
from milo.cli.reading import color_option, journal_file, say
from milo.cli.recording import journal_option
from milo.log import log
from milo.text import safe_line

if TYPE_CHECKING:
    from milo.journal import Follower
    from milo.views.detail import DetailView

__all__ = ["command"]

_POLL_S = 0.1
# Whether its process still lives is asked less often: it needs a look at the lock and at the last record.
_POLLS_A_LOOK = 10


@click.command("follow", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", required=False, default="", metavar="[RUN]")
@journal_option
@color_option
@debug_option
def command(run: str, journal: str | None, color: bool | None) -> None:
    """Watch a recorded run in detail: the one worked on last, or the one whose name is RUN or begins with it.

    Live while another process is at it, and afterwards; nothing that is pressed here changes the run. Where standard
    output is no terminal, the phases are printed once as they stand.

    \b
    Examples:
      milo follow
      milo follow 20260131-0915 --journal ../shop/.milo/runs.db
    """
    from milo.journal import Follower
    from milo.terminal.console import is_terminal
    from milo.views.detail import DetailView

    with Follower(journal_file(journal), run or None) as follower:
        follower.poll()
        view = DetailView(follower.state, color=color)
        watch = _Watch(follower, view)
        watch.look()
        try:
            view.show(watch.start if is_terminal(sys.stdout) else lambda: None)
        finally:
            watch.stop()
        if is_terminal(sys.stdout):
            name = follower.row.name
            last = f"{view.state.name} {follower.status()}; `milo show {name}` tells what there is of it\n"
            say(lambda paint: safe_line(last[:-1]) + "\n", color)


def _outcome(follower: Follower) -> tuple[str, str]:
    """What a run cannot say itself, and what to say about it."""
    if follower.damage:
        return "damaged", f"The journal is damaged {follower.damage}"
    if follower.state.status in ("pending", "running") and follower.status() == "interrupted":
        return "interrupted", "Its process is gone; `milo run --resume` goes on with it"
    return "", ""


class _Watch:
    """Tells a view of what comes, from a thread of its own; a run of another process can only be polled."""

    def __init__(self, follower: Follower, view: DetailView) -> None:
        self._follower = follower
        self._view = view
        self._outcome = ("", "")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="milo-follow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Tell the view what the run cannot say itself, where that has changed."""
        outcome = _outcome(self._follower)
        if outcome != self._outcome:
            self._outcome = outcome
            self._view.set_outcome(*outcome)

    def stop(self) -> None:
        """Poll no more; what the follower holds is free when this returns."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _poll(self) -> None:
        polls = 0
        try:
            while not self._stop.wait(_POLL_S):
                polls += 1
                actions = self._follower.poll()
                if actions:
                    self._view.on_actions(actions, self._follower.state)
                if actions or polls % _POLLS_A_LOOK == 0 or self._follower.damage:
                    self.look()
                if self._follower.damage:
                    return
        except Exception as error:  # noqa: BLE001 - shown in the view, which goes on with what is known
            log.exception("The run cannot be followed any further")
            self._view.set_outcome("damaged", f"The run cannot be followed any further: {error}")
