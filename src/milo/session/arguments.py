"""What a run refuses before anything starts."""

from __future__ import annotations

import math

from milo.errors import StateError
from milo.mask import Mask
from milo.pipeline import Pipeline

__all__ = ["check_arguments", "check_declaration", "check_executor"]


def check_arguments(pipeline: object, max_workers: object, grace: object, on_state: object) -> None:
    if not isinstance(pipeline, Pipeline):
        raise StateError(
            f"run needs a Pipeline, got {pipeline!r}.", hint="Declare one: Pipeline(name, *phases)."
        )
    if isinstance(max_workers, bool) or not (max_workers is None or isinstance(max_workers, int)):
        raise StateError(f"max_workers must be a whole number, got {max_workers!r}.")
    if max_workers is not None and max_workers < 1:
        raise StateError(f"max_workers must be at least 1, got {max_workers!r}.")
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not math.isfinite(grace) or grace < 0:
        raise StateError(f"grace must be a finite number of seconds, at least 0, got {grace!r}.")
    if on_state is not None and not callable(on_state):
        raise StateError(f"on_state must be callable, got {on_state!r}.")


def check_declaration(pipeline: Pipeline, mask: Mask) -> None:
    """Refuse a pipeline that shows a secret in a name or a description: those are keys, and stand everywhere."""
    if not mask:
        return
    texts = [("name of the pipeline", pipeline.name)]
    for phase in pipeline.phases:
        texts += [("name of a phase", phase.name), ("description of a phase", phase.description)]
    for what, text in texts:
        if mask(text) != text:
            raise StateError(
                f"The {what} holds the value of a masked variable: {mask(text)!r}.",
                hint="Leave secrets out of what a pipeline declares.",
            )


def check_executor(executor: object) -> None:
    if executor is None or executor == "threads" or hasattr(executor, "wake"):
        return
    # Imported here: most runs need nothing but threads.
    from milo.execution.choosing import check_executor

    check_executor(executor)
