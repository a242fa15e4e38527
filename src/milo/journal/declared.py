"""The declaration of a run as it is recorded: enough to replay it and to plan its resumption without its code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from milo.journal.code_digest import PYTHON
from milo.journal.codec import encode
from milo.journal.decoder import decode
from milo.journal.entries import HEAD, PHASES
from milo.journal.errors import DamagedError
from milo.journal.fingerprint import Fingerprint, Fingerprinter
from milo.pipeline import Phase, Pipeline

__all__ = ["About", "DeclaredPhase", "declare", "head_records", "phase_rows", "read_head", "read_phases"]

_CHUNK: Final = 500


class DeclaredPhase(NamedTuple):
    """A phase as it was declared.

    Attributes:
        name: Its name.
        depends_on: The names of its dependencies.
        fingerprint: What it is recognised by besides.
        weight: Its share of the progress.
        max_logs: How many lines are kept.
        parallel: Whether it may run beside others.
        persist: Whether its result may be kept.
        description: For people.
    """

    name: str
    depends_on: tuple[str, ...]
    fingerprint: Fingerprint
    weight: float = 1
    max_logs: int = 200
    parallel: bool = False
    persist: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a run when a process begins to work on it.

    Args:
        pipeline: The pipeline's name.
        target: What was run, resolved, so that it means the same from any folder; "" for a pipeline of a program.
        parameters: What the function that made the pipeline was given, by name.
        only: The phases that were asked for; none for all.
        options: Anything else that is worth keeping, for the codec.
        cwd: The working directory.
        pid: The process.
        host: Its machine.
        milo: The version of milo.
        time: Seconds since the epoch.
        python: Under which Python the fingerprints were made.
        phases: How many there are.
        resumed: Whether the run had been begun before.
    """

    pipeline: str
    target: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = ""
    pid: int = 0
    host: str = ""
    milo: str = ""
    time: float = 0.0
    python: str = PYTHON
    phases: int = 0
    resumed: bool = False


def declare(pipeline: Pipeline, fingerprinter: Fingerprinter | None = None) -> list[DeclaredPhase]:
    """A pipeline's phases as they are recorded."""
    make = (fingerprinter or Fingerprinter()).fingerprint
    return [_declared(phase, make(phase)) for phase in pipeline.phases]


def _declared(phase: Phase, fingerprint: Fingerprint) -> DeclaredPhase:
    return DeclaredPhase(
        phase.name,
        phase.depends_on,
        fingerprint,
        phase.weight,
        phase.max_logs,
        phase.parallel,
        phase.persist,
        phase.description,
    )


def head_records(about: About, phases: Sequence[DeclaredPhase]) -> Iterator[bytes]:
    """The records with which a process begins its work on a run."""
    fields = {
        "pipeline": about.pipeline,
        "target": about.target,
        "parameters": dict(about.parameters),
        "only": tuple(about.only),
        "options": dict(about.options),
        "cwd": about.cwd,
        "pid": about.pid,
        "host": about.host,
        "milo": about.milo,
        "time": about.time,
        "python": about.python,
        "phases": len(phases),
        "resumed": about.resumed,
    }
    yield bytes((HEAD,)) + encode(fields, name="options")
    numbers = {phase.name: number for number, phase in enumerate(phases)}
    for start in range(0, len(phases), _CHUNK):
        yield bytes((PHASES,)) + _part(phases[start : start + _CHUNK], numbers)


def _part(phases: Sequence[DeclaredPhase], numbers: Mapping[str, int]) -> bytes:
    """Some phases as JSON: what many have in common once; for each which of these it has, its name, what it needs."""
    kinds: dict[tuple[Any, ...], int] = {}
    rows = []
    for name, depends_on, *kind in phases:
        key = tuple(kind)
        rows.append([kinds.setdefault(key, len(kinds)), name, *[numbers[each] for each in depends_on]])
    return json.dumps([list(kinds), rows], separators=(",", ":")).encode()


def read_head(data: bytes) -> About:
    """What a HEAD record says.

    Raises:
        DamagedError: It is none.
    """
    try:
        fields = decode(data[1:])
        # A newer milo of the same schema may say more.
        return About(**{name: fields[name] for name in About.__dataclass_fields__ if name in fields})
    except Exception as error:  # noqa: BLE001 - whatever a wrong byte leads to is damage
        raise DamagedError(f"The head of a run cannot be understood: {error!r}.") from None


def phase_rows(data: bytes) -> list[Any]:
    """The rows of one PHASES record, for `read_phases`.

    Raises:
        DamagedError: It is none.
    """
    try:
        kinds, rows = json.loads(data[1:])
        shared = [(Fingerprint(*fingerprint), *rest) for fingerprint, *rest in kinds]
        return [(shared[kind], name, depends_on) for kind, name, *depends_on in rows]
    except Exception as error:  # noqa: BLE001 - whatever a wrong byte leads to is damage
        raise DamagedError(f"The declaration of a run cannot be understood: {error!r}.") from None


def read_phases(rows: Sequence[Any]) -> list[DeclaredPhase]:
    """The phases that the rows of all PHASES records of a sitting declare, in order.

    Raises:
        DamagedError: They are none.
    """
    try:
        names = [row[1] for row in rows]
        return [
            DeclaredPhase(name, tuple([names[each] for each in depends_on]), *shared)
            for shared, name, depends_on in rows
        ]
    except Exception as error:  # noqa: BLE001 - as above
        raise DamagedError(f"The declaration of a run cannot be understood: {error!r}.") from None
