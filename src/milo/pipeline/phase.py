"""Phase and PhasePolicy: the frozen recipes that a pipeline is declared with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from milo.errors import PipelineError
from milo.pipeline.binding import Binding, bind
from milo.pipeline.checks import (
    check_count,
    check_flag,
    check_fraction,
    check_limit,
    check_name,
    check_number,
    check_one_of,
    check_text,
    exceptions_of,
    names_of,
)
from milo.text import safe_line

__all__ = ["Phase", "PhasePolicy"]

_ON_FAIL: Final = ("stop", "skip", "retry")
_PLACES: Final = ("thread", "process")
_THEN: Final = ("stop", "skip")
_BACKOFFS: Final = ("fixed", "exponential")
_MAX_DELAY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class PhasePolicy:
    """What happens when a phase raises.

    Args:
        on_fail: "stop" halts the pipeline, "skip" goes on without the phase, "retry" tries again.
        max_retries: How many more attempts follow the first, with ``on_fail="retry"``.
        retry_delay: Seconds before the first retry.
        retry_backoff: "fixed" keeps the delay, "exponential" doubles it each time, up to 30 s.
        retry_jitter: By which fraction of it, 0 to 1, a delay is shortened or lengthened at random.
        retry_on: The exceptions after which another attempt makes sense; any other fails the phase at once.
        then: What follows when the retries have run out: "stop", or "skip" to go on without the phase.

    Raises:
        PipelineError: A value is none of these, negative or not finite.
    """

    on_fail: str = "stop"
    max_retries: int = 0
    retry_delay: float = 1.0
    retry_backoff: str = "fixed"
    retry_jitter: float = field(default=0.0, kw_only=True)
    retry_on: tuple[type[Exception], ...] = field(default=(Exception,), kw_only=True)
    then: str = field(default="stop", kw_only=True)

    def __post_init__(self) -> None:
        check_one_of("on_fail", self.on_fail, _ON_FAIL)
        check_one_of("retry_backoff", self.retry_backoff, _BACKOFFS)
        check_count("max_retries", self.max_retries)
        check_number("retry_delay", self.retry_delay)
        check_fraction("retry_jitter", self.retry_jitter)
        check_one_of("then", self.then, _THEN)
        object.__setattr__(self, "retry_on", exceptions_of("retry_on", self.retry_on))
        if self.on_fail == "retry" and self.max_retries == 0:
            warnings.warn(
                'PhasePolicy(on_fail="retry") with max_retries=0 never retries. Give it max_retries=1 or more.',
                UserWarning,
                stacklevel=3,
            )

    def delay_s(self, attempt: int, chance: float = 0.5) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1).

        Args:
            attempt: Which attempt failed.
            chance: A random number from 0 to 1, which decides where in the range of the jitter the delay lies.
        """
        factor = 1.0 + self.retry_jitter * (2.0 * chance - 1.0)
        if self.retry_backoff == "fixed":
            return self.retry_delay * factor
        return min(self.retry_delay * 2.0 ** min(attempt - 1, 1000) * factor, _MAX_DELAY_S)


_DEFAULT_POLICY: Final = PhasePolicy()


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a pipeline: a function, and what has to be done before it.

    Args:
        name: Unique in its pipeline.
        handler: Does the work. It takes nothing, or `context` (dependency name → result), or parameters named like
            its dependencies; it may be async.
        description: For people.
        depends_on: Names of the phases that come before it.
        parallel: Whether it may run beside other parallel phases; otherwise it runs alone.
        weight: Its share of the progress, and the estimate of its cost.
        policy: What happens when it raises.
        max_logs: How many captured lines are kept.
        timeout: Seconds that one attempt may take; None for no limit. What cannot be interrupted then (a thread busy
            in C) is left behind: its result and output are dropped, and a retry may overlap it.
        version: For you: change it when what the handler does has changed in a way that its own code does not show.
        persist: Whether the result may be kept on disk by a recorded run.
        runs_on: "thread" or "process" for this phase, whatever the run's executor is; None leaves it to that.

    Raises:
        PipelineError: A value is refused; the message says which and why.
    """

    name: str
    handler: Callable[..., Any]
    description: str = ""
    depends_on: tuple[str, ...] = ()
    parallel: bool = False
    weight: float = 1
    policy: PhasePolicy = _DEFAULT_POLICY
    max_logs: int = 200
    timeout: float | None = field(default=None, kw_only=True)
    version: str = field(default="", kw_only=True)
    persist: bool = field(default=True, kw_only=True)
    runs_on: str | None = field(default=None, kw_only=True)
    _binding: Binding = field(init=False, repr=False, compare=False, default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.depends_on.__class__ is not tuple:
            object.__setattr__(self, "depends_on", names_of(self.name, self.depends_on))
        for dependency in self.depends_on:
            if not isinstance(dependency, str):
                raise PipelineError(
                    f"depends_on of phase {self.name!r} must hold names, got {dependency!r}.",
                    hint='Use the names of phases: depends_on=("parse",).',
                )
        if len(self.depends_on) > 1 and len(set(self.depends_on)) != len(self.depends_on):
            object.__setattr__(self, "depends_on", tuple(dict.fromkeys(self.depends_on)))
        _check_description(self)
        check_number("weight", self.weight, self.name)
        check_count("max_logs", self.max_logs, self.name)
        if self.timeout is not None:
            check_limit("timeout", self.timeout, self.name)
        check_text("version", self.version, self.name)
        check_flag("persist", self.persist, self.name)
        if self.runs_on is not None:
            check_one_of(f"runs_on of phase {self.name!r}", self.runs_on, _PLACES)
        if not isinstance(self.policy, PhasePolicy):
            raise PipelineError(f"policy of phase {self.name!r} must be a PhasePolicy, got {self.policy!r}.")
        object.__setattr__(self, "_binding", bind(self.name, self.handler, self.depends_on))

    @property
    def binding(self) -> Binding:
        """How the handler is given the results of its dependencies."""
        return self._binding


def _check_description(phase: Phase) -> None:
    if phase.description:
        if not isinstance(phase.description, str):
            raise PipelineError(
                f"description of phase {phase.name!r} must be a string, got {phase.description!r}."
            )
        object.__setattr__(phase, "description", safe_line(phase.description))
