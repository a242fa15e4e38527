"""Numbers on the command line, and what is said of what is none."""

from __future__ import annotations

from typing import Any

import click
import pytest

from milo.cli.numbers import COUNT, SECONDS


def test_numbers_are_taken() -> None:
    assert (COUNT.convert("3", None, None), SECONDS.convert("2.5", None, None)) == (3, 2.5)


@pytest.mark.parametrize("value", ["x", "0", "-1", "1.5", ""])
def test_what_is_no_count_is_refused_with_what_is_wanted(value: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        COUNT.convert(value, None, None)
    assert refused.value.message == f"must be a whole number of at least 1, got {value!r}."


@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", ""])
def test_what_is_no_time_is_refused_with_what_is_wanted(value: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        SECONDS.convert(value, None, None)
    assert refused.value.message == f"must be a finite number of seconds of at least 0, got {value!r}."


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["run", "-j", "x"], {}),
        (["run"], {"MILO_JOBS": "x"}),
        (["run", "--keep", "x"], {}),
        (["history", "-n", "x"], {}),
    ],
)
def test_every_option_that_counts_says_so(cli: Any, arguments: list[str], env: dict[str, str]) -> None:
    done = cli.run(*arguments, **env)
    assert done.returncode == 2
    assert done.stderr.endswith(": must be a whole number of at least 1, got 'x'.\n")
