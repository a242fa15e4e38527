"""Mask: no secret in any line of output or error, and everything else as it was."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import milo
from milo import Action, Phase, PhasePolicy, Pipeline
from milo.errors import StateError
from milo.mask import Mask, mask_of
from milo.session import Session

SECRET = "hunter2-and-more"

printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
secrets = st.text(printable, min_size=1, max_size=12).filter(lambda text: text.strip() not in ("", "*", "**"))


@given(st.lists(secrets, min_size=1, max_size=4), st.data())
def test_no_secret_survives_in_whatever_text_it_stands(values: list[str], data: st.DataObject) -> None:
    around = st.text(printable, max_size=20)
    parts = data.draw(st.lists(st.one_of(around, st.sampled_from(values)), max_size=8))
    masked = Mask(values)("".join(parts))
    # The stars themselves may be a secret, or complete one that was not there.
    assume(not any("*" in value for value in values))
    for value in values:
        assert value.strip() not in masked


@given(st.lists(secrets, max_size=3), st.text(printable, max_size=40))
def test_text_without_a_secret_stays_the_same(values: list[str], text: str) -> None:
    assume(not any(value.strip() in text for value in values))
    assert Mask(values)(text) == text


def test_a_secret_that_holds_another_is_replaced_as_a_whole() -> None:
    """Whichever was named first."""
    assert Mask(["abcd", "abcdef"])("abcdef abcd") == "*** ***"
    assert Mask(["abcdef", "abcd", "cdefgh"])("abcdef abcdefgh") == "*** ***gh"


def test_a_secret_of_several_lines_is_looked_for_line_by_line() -> None:
    """As output comes in lines; its shortest lines say nothing and stand everywhere."""
    mask = Mask(["-----BEGIN KEY-----\r\n  MIIEvQ==  \n}\n\n"])
    assert [mask(line) for line in ("-----BEGIN KEY-----", "x MIIEvQ== y", "}", "")] == [
        "***",
        "x *** y",
        "}",
        "",
    ]


def test_a_short_secret_of_one_line_is_masked_all_the_same() -> None:
    """It was named, after all."""
    assert Mask(["7"])("17 and 70") == "1*** and ***0"


def test_a_secret_with_blanks_around_it_is_found_without_them() -> None:
    """A file that was read into a variable ends with a newline."""
    assert Mask([f"  {SECRET}\n"])(f"<{SECRET}>") == "<***>"


def test_a_secret_with_a_control_character_is_found_as_it_is_shown() -> None:
    """Text has been made safe when it is looked at."""
    value = "pass\x07word\u200b!"
    pipeline = Pipeline("p", Phase("it", lambda: print(f"<{value}>")), capture_output=True)
    result = Session(pipeline, mask=Mask([value])).run()
    assert [log.line for log in result.state.phase("it").logs] == ["<***>"]


@pytest.mark.parametrize("values", [[], [""], ["\n \n"]])
def test_without_a_secret_there_is_no_mask(values: list[str]) -> None:
    """And nothing is paid for it."""
    assert not Mask(values)
    assert Mask(values)("text") == "text"


# Actions


def test_an_action_that_holds_no_secret_is_the_same_object() -> None:
    """Whatever its payload is."""
    mask = Mask([SECRET])
    for payload in (None, 7, SECRET, {"line": "x", "error": None}, {"name": "a", "result": SECRET}, [SECRET]):
        action = Action("x", payload)
        assert mask.action(action) is action


@pytest.mark.parametrize("key", ["line", "error"])
def test_a_secret_in_a_line_or_an_error_is_replaced_and_the_rest_kept(key: str) -> None:
    """The given action is not touched."""
    payload = {"name": "a", key: f"<{SECRET}>", "at": 1.0}
    masked = Mask([SECRET]).action(Action("x", payload))
    assert masked == Action("x", {"name": "a", key: "<***>", "at": 1.0})
    assert payload[key] == f"<{SECRET}>"


# Names of variables


def test_the_values_are_those_of_the_named_variables() -> None:
    """One that is not set, or empty, hides nothing."""
    mask = mask_of(("A", "B", "C"), {"A": "first", "B": "", "D": "fourth"})
    assert mask("first fourth") == "*** fourth"
    assert not mask_of(("B", "C"), {"B": ""})
    assert not mask_of((), {"A": "first"})


@pytest.mark.parametrize("name", ["", "A=b", "A\0", 7, None, b"A"])
def test_what_is_no_name_of_a_variable_is_refused(name: Any) -> None:
    """With what to write."""
    with pytest.raises(
        StateError, match=r"mask must hold names of environment variables, got .* Write mask="
    ):
        mask_of((name,), {})


def test_a_single_string_is_refused() -> None:
    """It would be taken for a tuple of its letters."""
    with pytest.raises(StateError, match=r"got the string 'TOKEN'\. Write mask=\(\"TOKEN\",\)\."):
        mask_of("TOKEN", {})


# In a run


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TOKEN", SECRET)
    return SECRET


def test_no_observer_of_a_run_sees_a_secret(token: str) -> None:
    """Neither middleware, nor views, nor on_state, nor the result's state; also when it is printed in pieces."""
    seen: list[Any] = []

    class Everything:
        def on_actions(self, actions: Any, state: Any) -> None:
            seen.extend([*[(action.type, action.payload) for action in actions], state])

        def close(self, state: Any) -> None:
            seen.append(state)

    def middleware(next_dispatch: Any, get_state: Any) -> Any:
        return lambda action: (seen.append((action.type, action.payload)), next_dispatch(action))[1]

    def talk() -> None:
        print("token is", token)
        sys.stdout.write(token[:5])
        sys.stdout.flush()
        sys.stdout.write(token[5:] + " in pieces\n")
        sys.stderr.buffer.write(token[:5].encode())
        sys.stderr.buffer.write(token[5:].encode() + b" as bytes\n")
        milo.current_phase().log(f"logged {token}")
        print(token, end="")
        raise ValueError(f"bad token {token}\nreally {token}")

    pipeline = Pipeline(
        "p",
        Phase("it", talk, policy=PhasePolicy("retry", 1, 0.0, then="skip")),
        Phase("then", talk, depends_on=("it",)),
        capture_output=True,
    )
    result = Session(
        pipeline,
        mask=mask_of(("TOKEN",), os.environ),
        views=[Everything()],
        middleware=[middleware],
        on_state=seen.append,
    ).run()
    assert token not in repr(seen)
    assert token not in repr(result.state)
    assert token not in json.dumps([repr(log) for phase in result.state.phases for log in phase.logs])
    lines = [log.line for log in result.state.phase("then").logs]
    assert lines == ["token is ***", "*** in pieces", "*** as bytes", "logged ***", "***"]
    assert result.state.phase("then").error == "bad token ***\nreally ***"
    assert result.state.phase("it").error == "bad token ***\nreally ***"


def test_run_masks_by_names_and_leaves_results_alone(token: str) -> None:
    """Results are for the program, which made them."""
    pipeline = Pipeline("p", Phase("it", lambda: print(token) or token), capture_output=True)
    result = milo.run(pipeline, mask=("TOKEN", "NOT_SET"))
    assert [log.line for log in result.state.phase("it").logs] == ["***"]
    assert result.results == {"it": token}
    assert milo.run(pipeline).state.phase("it").logs[0].line == token


@pytest.mark.parametrize(
    ("pipeline", "what"),
    [
        (Pipeline(f"deploy {SECRET}", Phase("a", print)), "name of the pipeline"),
        (Pipeline("p", Phase(f"a {SECRET}", print)), "name of a phase"),
        (Pipeline("p", Phase("a", print, f"with {SECRET}")), "description of a phase"),
    ],
)
def test_a_pipeline_that_shows_a_secret_in_what_it_declares_is_refused(
    token: str, pipeline: Pipeline, what: str
) -> None:
    """Without the secret in the message."""
    with pytest.raises(StateError, match=f"The {what} holds the value of a masked variable") as caught:
        milo.run(pipeline, mask=("TOKEN",))
    assert token not in str(caught.value)
