"""Every error milo raises on purpose: what happened, what was received, what to do next."""

from __future__ import annotations

__all__ = ["CycleError", "MiloError", "PhaseCancelled", "PipelineError", "StateError", "TargetError"]


class MiloError(Exception):
    """The root of milo's errors.

    Args:
        message: What happened, with the value received.
        hint: What to do next, as a sentence; empty when there is nothing to add.

    Attributes:
        code: A short stable identifier for programs, e.g. ``"pipeline"``.
        message: As given.
        hint: As given.
    """

    code = "milo"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.hint, dict(self.__dict__))


def _rebuild(kind: type[MiloError], message: str, hint: str, attributes: dict[str, object]) -> MiloError:
    """Unpickle an error of any subclass, whatever arguments its own constructor wants."""
    error = kind.__new__(kind, message, hint)
    Exception.__init__(error, message, hint)
    error.__dict__.update(attributes)
    return error


class StateError(MiloError, RuntimeError):
    """The store, a saga or a run was used in a way that its present state does not allow."""

    code = "state"


class PipelineError(MiloError, ValueError):
    """A declaration was refused: a phase, a policy or a graph of phases that cannot work."""

    code = "pipeline"


class CycleError(PipelineError):
    """Phases depend on each other in a circle.

    Attributes:
        cycle: The names along the circle, the first repeated at the end.
    """

    code = "cycle"

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(
            f"Circular dependency: {' → '.join(cycle)}.",
            hint="Remove one of these dependencies so that some phase can start first.",
        )
        self.cycle = cycle


class PhaseCancelled(BaseException):
    """The phase that the running code belongs to was cancelled, or its time is up.

    Raised inside a handler by `CurrentPhase.check` and `sh`. Not an Exception, so that a handler which catches those
    and tries again does not go on for ever.
    """


class TargetError(MiloError, ValueError):
    """What was named on the command line or in the configuration cannot be loaded as a pipeline."""

    code = "target"
