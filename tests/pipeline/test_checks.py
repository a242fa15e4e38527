"""The checks on their own: fuzzed names, and the words for arguments that belong to no phase."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.errors import PipelineError
from milo.pipeline.checks import check_count, check_name, check_number, is_printable, names_of
from milo.text import safe_line


@given(st.text())
def test_an_accepted_name_is_shown_as_it_is(name: str) -> None:
    try:
        check_name(name)
    except PipelineError:
        return
    assert safe_line(name) == name
    assert "\n" not in name


@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_letters_and_digits_are_always_accepted(name: str) -> None:
    check_name(name)


def test_colour_is_no_part_of_a_name() -> None:
    assert not is_printable("\x1b[1mbold")
    assert is_printable("bold")


def test_a_number_without_a_phase_is_named_alone() -> None:
    with pytest.raises(PipelineError) as caught:
        check_number("retry_delay", -1)
    assert str(caught.value) == "retry_delay must be a finite number of at least 0, got -1."


def test_zero_is_a_count() -> None:
    check_count("max_retries", 0)


def test_names_may_come_from_a_generator() -> None:
    assert names_of("a", (name for name in ("x", "y"))) == ("x", "y")
