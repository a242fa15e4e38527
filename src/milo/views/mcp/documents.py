"""The documents that agents read: a look at a run as JSON in ASCII, whatever names and lines hold."""

from __future__ import annotations

import difflib
import json
import threading
from typing import Any, Final

from milo.pipeline.state import GOING, Leaf
from milo.pipeline.timeline import phases_to_graph
from milo.text import strip_sgr
from milo.views.mcp.addresses import AddressError
from milo.views.mcp.look import Look, NoRunError

__all__ = ["MAX_LINES", "Timeline", "graph", "logs", "runs"]

MAX_LINES: Final = 1000
"""How many lines of a phase are shown at most."""

_MAX_ERROR: Final = 4000
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode


class Timeline:
    """Writes timelines, each phase anew only when it has changed: a run may have ten thousand. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: object = None
        self._known: list[tuple[Leaf | None, str]] = []

    def text(self, look: Look) -> str:
        """What `pipeline_to_timeline` gives, with the status of a run whose process is gone told as such."""
        state = look.state
        going = state.status == "running"
        elapsed = state.elapsed
        if going and look.now is not None:
            elapsed = max(elapsed, look.now - state.started_at)
        head = {
            "pipeline": state.name,
            "status": look.status,
            "elapsed": elapsed,
            "progress": state.progress,
        }
        with self._lock:
            phases = ",".join(self._pieces(look))
        return f'{_encode(head)[:-1]},"phases":[{phases}]}}'

    def _pieces(self, look: Look) -> list[str]:
        names = look.state.names
        if names is not self._names:
            self._names = names
            self._known = [(None, "")] * len(names)
        known = self._known
        for number, leaf in enumerate(look.state.leaves):
            if known[number][0] is not leaf:
                text = _encode(_phase(names[number], leaf, look))
                # What is going on looks different at every look.
                known[number] = (None if leaf[0] in GOING else leaf, text)
        return [text for _, text in known]


def _phase(name: str, leaf: Leaf, look: Look) -> dict[str, Any]:
    status, started_at, elapsed, error, attempt, lines = leaf
    if status in GOING and look.now is not None:
        elapsed = max(elapsed, look.now - started_at)
    return {
        "name": name,
        "status": status_of(status, look),
        "elapsed": elapsed,
        "attempt": attempt,
        "error": shortened(error),
        "log_count": len(lines),
        "started_at": started_at,
    }


def status_of(status: str, look: Look) -> str:
    """The status of a phase: what was going on in a run whose process is gone was interrupted."""
    return "interrupted" if status in GOING and look.status == "interrupted" else status


def shortened(error: str) -> str:
    """An error without colours and of a length that somebody reads."""
    text = strip_sgr(error)
    more = len(text) - _MAX_ERROR
    return f"{text[:_MAX_ERROR]}… ({more:,} characters more)" if more > 0 else text


def graph(look: Look) -> str:
    """The phases and what each of them waits for.

    Raises:
        NoRunError: It is not known.
    """
    if look.phases is None:
        raise NoRunError(
            "The graph of the published run is not known.",
            hint="Hand the pipeline to the server: make_server(pipeline).",
        )
    phases = phases_to_graph(look.phases)
    return _encode(
        {"pipeline": look.state.name, "run": look.run or None, "note": look.note, "phases": phases}
    )


def logs(look: Look, name: str) -> str:
    """The last lines of a phase.

    Raises:
        AddressError: The run has no such phase.
    """
    try:
        phase = look.state.phase(name)
    except KeyError:
        raise _unknown(look, name) from None
    lines = phase.logs[-MAX_LINES:]
    return _encode(
        {
            "run": look.run or None,
            "note": look.note,
            "phase": name,
            "status": status_of(phase.status, look),
            "error": shortened(phase.error),
            "earlier_lines": len(phase.logs) > len(lines) or _is_full(look, name, len(phase.logs)),
            "output_file": str(look.output(name)) if look.output is not None else None,
            "untrusted_lines": [
                {"line": strip_sgr(log.line), "stream": log.stream, "timestamp": log.timestamp}
                for log in lines
            ],
        }
    )


def _is_full(look: Look, name: str, kept: int) -> bool | None:
    """Whether a phase has kept as many lines as it may, so that there may have been others; None if nobody knows."""
    # By name: what a program publishes need not be a run of the pipeline that it has declared.
    limit = next((phase.max_logs for phase in look.phases or () if phase.name == name), None)
    return None if limit is None else kept >= limit


def _unknown(look: Look, name: str) -> AddressError:
    names = look.state.names
    near = difflib.get_close_matches(name, names, 3) if len(names) <= 1000 else []
    told = near or names[:10]
    more = f" and {len(names) - len(told)} more" if not near and len(names) > len(told) else ""
    listed = f"{', '.join(map(repr, told)) or 'none'}{more}"
    return AddressError(
        f"The run has no phase {name!r}.", hint=f"Did you mean {listed}?" if near else f"It has {listed}."
    )


def runs(found: list[dict[str, Any]]) -> str:
    """The runs that there are."""
    return _encode({"runs": found})
