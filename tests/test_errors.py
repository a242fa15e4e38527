"""Errors say what happened and what to do, and travel between processes."""

from __future__ import annotations

import pickle

import pytest

from milo.errors import CycleError, MiloError, PipelineError, StateError, TargetError


def test_the_message_ends_with_the_next_step() -> None:
    """Both parts can also be had by themselves."""
    error = MiloError("It broke.", hint="Mend it.")
    assert str(error) == "It broke. Mend it."
    assert (error.message, error.hint) == ("It broke.", "Mend it.")
    assert str(MiloError("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("kind", "base"), [(StateError, RuntimeError), (PipelineError, ValueError), (CycleError, PipelineError)]
)
def test_each_kind_is_also_what_python_calls_it(kind: type, base: type) -> None:
    """So that code which knows nothing of milo can catch it."""
    assert issubclass(kind, base)
    assert issubclass(kind, MiloError)
    assert kind.code not in ("", MiloError.code)


def test_a_cycle_is_named() -> None:
    """With its names along the circle."""
    error = CycleError(("a", "b", "a"))
    assert "Circular dependency: a → b → a" in str(error)
    assert error.cycle == ("a", "b", "a")


@pytest.mark.parametrize("error", [StateError("a", hint="b"), CycleError(("a", "a")), TargetError("x")])
def test_errors_survive_pickling(error: MiloError) -> None:
    """With everything they say."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
