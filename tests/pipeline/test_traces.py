"""Tracebacks of handlers as lines of their phases' logs."""

import pytest

from milo import Phase, Pipeline, testing
from milo.errors import MiloError
from milo.pipeline.traces import trace_lines
from milo.saga.effects import Put


def broken() -> None:
    raise ValueError("no \x1b[2J luck\nat all")


def test_a_trace_begins_at_the_handler_and_holds_no_control_characters() -> None:
    saga = Pipeline("p", Phase("it", broken)).build_saga(traces=True)
    actions = [effect.action for effect in testing.step(saga) if isinstance(effect, Put)]
    lines = [action.payload["line"] for action in actions if action.type == "@@PHASE_LOG"]
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(", in broken")
    assert lines[-1] == "at all"
    assert not any("\x1b" in line for line in lines)
    assert [action.type for action in actions][-2:] == ["@@PHASE_LOG", "@@PHASE_FAILED"]


def test_without_being_asked_nothing_is_traced() -> None:
    saga = Pipeline("p", Phase("it", broken)).build_saga()
    assert "@@PHASE_LOG" not in [e.action.type for e in testing.step(saga) if isinstance(e, Put)]


def test_an_error_that_came_through_no_code_of_the_users_has_no_trace_unless_it_has_notes() -> None:
    error = MiloError("The command failed.")
    assert list(trace_lines(error)) == []
    error.add_note("Raised elsewhere:\n  in a worker")
    assert list(trace_lines(error)) == [
        "milo.errors.MiloError: The command failed.",
        "Raised elsewhere:",
        "  in a worker",
    ]


def test_what_an_error_came_from_is_traced_with_it() -> None:
    error = RuntimeError("outer")
    error.__cause__ = KeyError("inner")
    with pytest.raises(RuntimeError) as caught:
        raise error
    lines = list(trace_lines(caught.value))
    assert (lines[0], lines[-1]) == ("KeyError: 'inner'", "RuntimeError: outer")
