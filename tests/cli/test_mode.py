"""Live or plain, coloured or not: two questions with an answer for every environment."""

import pytest

from milo.cli.mode import wants_color, wants_live


@pytest.mark.parametrize(
    ("env", "tty", "plain", "live"),
    [
        ({"TERM": "xterm"}, True, False, True),
        ({"TERM": "xterm"}, True, True, False),
        ({"TERM": "xterm"}, False, False, False),
        ({"TERM": "dumb"}, True, False, False),
        ({"CI": "true"}, True, False, False),
        ({"CI": "false"}, True, False, True),
        ({"FORCE_COLOR": "1"}, False, False, False),
    ],
)
def test_live_needs_a_terminal_that_can_and_no_ci(
    env: dict[str, str], tty: bool, plain: bool, live: bool
) -> None:
    assert wants_live(env, tty=tty, plain=plain) is live


@pytest.mark.parametrize(
    ("env", "tty", "flag", "color"),
    [
        ({"NO_COLOR": "1"}, True, True, True),
        ({"FORCE_COLOR": "1"}, True, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, None, False),
        ({"NO_COLOR": ""}, True, None, True),
        ({"FORCE_COLOR": "1"}, False, None, True),
        ({"FORCE_COLOR": "0"}, True, None, False),
        ({"TERM": "dumb"}, True, None, False),
        ({}, True, None, True),
        ({}, False, None, False),
    ],
)
def test_colour_asks_the_flag_then_the_variables_then_the_terminal(
    env: dict[str, str], tty: bool, flag: bool | None, color: bool
) -> None:
    assert wants_color(env, tty=tty, flag=flag) is color
