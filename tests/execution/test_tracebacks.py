"""Tracebacks of handlers as text, and how they come back from other processes."""

from __future__ import annotations

from typing import NoReturn

import pytest

from milo.errors import MiloError
from milo.execution.tracebacks import keep_traceback, traceback_text
from milo.saga.effects import Delay


def fail() -> NoReturn:
    raise ValueError("bad")


def caught() -> ValueError:
    with pytest.raises(ValueError, match="bad") as raised:
        fail()
    return raised.value


def test_a_kept_traceback_is_told_instead_of_what_is_left_of_it_here() -> None:
    error = caught()
    there = traceback_text(error)
    assert there.endswith("ValueError: bad")
    keep_traceback(error)
    error.__traceback__ = None
    assert traceback_text(error) == there
    assert error.__notes__ == [f"Raised in another process:\n{there}"]


def test_frames_of_milo_before_the_users_are_left_out_and_alone_they_say_nothing() -> None:
    with pytest.raises(MiloError) as raised:
        Delay(-1)
    error = raised.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    assert traceback_text(error) == ""
    keep_traceback(error)
    assert not hasattr(error, "__notes__")


def test_an_error_that_takes_no_notes_does_without() -> None:
    class BareError(Exception):
        def add_note(self, note: str) -> None:
            raise AttributeError(note)

    with pytest.raises(BareError) as raised:
        raise BareError
    keep_traceback(raised.value)
