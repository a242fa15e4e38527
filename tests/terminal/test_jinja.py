"""Jinja for terminals: strict, measured in cells, and nothing but text and colour comes out."""

from __future__ import annotations

from typing import Any

import pytest

from milo.terminal.helpers import Helpers
from milo.terminal.jinja import JinjaEngine
from milo.terminal.templates import TemplateError

HELPERS = Helpers()
ENGINE = JinjaEngine([], HELPERS.functions(), HELPERS.filters())


def render(text: str, **context: Any) -> str:
    return ENGINE.from_text(text)(context)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ 'x'|red|bold }}", "\x1b[1m\x1b[31mx\x1b[0m\x1b[0m"),
        ("{{ '漢'|pad(4) }}|", "漢  |"),
        ("{{ '漢'|pad(4, 'right') }}|", "  漢|"),
        ("{{ '漢字漢字'|truncate(5) }}", "漢字…"),
        ("{{ '漢'|center(6) }}|", "  漢  |"),
        ("{{ 'abcdef'|fit(4) }}", "abc…"),
        ("{{ 'abcdef'|clip(2, 1) }}", "bc"),
        ("{{ '漢'|cells }}", "2"),
        ("{{ meter(0.5, 4) }}", "━━──"),
        ("{{ 75|duration }}", "1 min 15 s"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("a\n", "a\n"),
        ("{{ '<&>' }}", "<&>"),
    ],
)
def test_what_a_template_can_do(text: str, made: str) -> None:
    assert render(text) == made


def test_every_value_is_made_safe_by_itself() -> None:
    hostile = "a\x1b]52;c;aGk=\x07\x1b[2J\x1b[31mred\x9b\u202e"
    assert render("{{ x }}", x=hostile) == "a\x1b[31mred\\x9b\\u202e\x1b[0m"
    assert render("{{ x }}[2J", x="\x1b") == "␛[2J", "no sequence with what stands behind it"
    assert render("{{ x }}", x=None) == "None"


def test_an_undefined_name_is_an_error_wherever_it_is_used() -> None:
    for text in ("{{ x }}", "{% if x %}{% endif %}", "{% for y in x %}{% endfor %}", "{{ x ~ 'a' }}"):
        with pytest.raises(TemplateError, match="'x' is undefined"):
            render(text)


def test_an_error_of_the_data_keeps_its_cause() -> None:
    class Broken:
        @property
        def name(self) -> str:
            raise LookupError("gone")

    with pytest.raises(TemplateError, match="line 1: LookupError: gone") as caught:
        render("{{ x.name }}", x=Broken())
    assert isinstance(caught.value.__cause__, LookupError)
