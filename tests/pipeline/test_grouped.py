"""The errors of exception groups, in the text of a phase's error."""

from __future__ import annotations

from milo import Phase, Pipeline, run
from milo.pipeline.grouped import grouped_text


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_the_first_errors_are_named_those_of_inner_groups_too() -> None:
    inner = ExceptionGroup("inner", [KeyError("x"), MuteError()])
    group = ExceptionGroup("many", [ValueError("bad"), inner, TypeError("t"), OSError("o")])
    assert grouped_text(group) == "ValueError: bad; KeyError: 'x'; MuteError; and 2 more"


def test_however_long_and_many_the_errors_are_the_text_is_short() -> None:
    group = ExceptionGroup("many", [ValueError("first line\nsecond"), *[ValueError("x" * 10_000)] * 5_000])
    text = grouped_text(group)
    assert text.startswith("ValueError: first line…; ValueError: xxx")
    assert text.endswith("x…; and 4998 more")
    assert len(text) < 500


def test_groups_may_be_deep() -> None:
    group = ExceptionGroup("g", [ValueError("deep")])
    for _ in range(5_000):
        group = ExceptionGroup("g", [group])
    assert grouped_text(group) == "ValueError: deep"


def test_a_phase_that_raises_a_group_says_what_is_in_it() -> None:
    def many() -> None:
        raise ExceptionGroup("many", [ValueError("bad"), ValueError("worse")])

    error = run(Pipeline("p", Phase("a", many))).state.phase("a").error
    assert error == "many (2 sub-exceptions): ValueError: bad; ValueError: worse"
