"""Which variables the command line masks, and what it says of those that are not there."""

from typing import Any

import click
import pytest

from milo.cli.masking import chosen_mask

PRINTING = """
from milo import Phase, Pipeline
pipeline = Pipeline("p", Phase("say", lambda: print("secret is hunter2")))
"""


def test_a_variable_that_is_not_set_is_said_when_it_was_asked_for(cli: Any) -> None:
    """A name that is spelled wrong leaves the secret to be read by everybody."""
    cli.write(PRINTING)
    ran = cli.run("run", "--mask", "TOKN", "--mask", "EMPTY", TOKEN="hunter2", EMPTY="")
    said = "milo: warning: --mask TOKN: there is no environment variable of that name, so nothing is masked for it.\n"
    assert (ran.returncode, ran.stderr) == (0, said)


def test_a_variable_of_the_settings_need_not_be_set_everywhere() -> None:
    said: list[str] = []
    mask = chosen_mask(["A"], ["B", "NOWHERE"], {"A": "first", "B": "second"}, said.append)
    assert (mask("first second third"), said) == ("*** *** third", [])


@pytest.mark.parametrize(
    ("asked", "configured", "hint"), [([""], [], "Write --mask TOKEN."), ([], ["A=B"], "in [tool.milo].")]
)
def test_a_name_that_is_none_is_refused_in_words_of_where_it_stands(
    asked: list[str], configured: list[str], hint: str
) -> None:
    with pytest.raises(click.UsageError) as refused:
        chosen_mask(asked, configured, {}, print)
    assert refused.value.message.endswith(hint)
