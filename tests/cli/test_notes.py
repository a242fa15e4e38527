"""Notes: what is told on stderr, at once or after a view has drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from milo.cli.notes import Notes


@pytest.fixture
def hide() -> Callable[[str], str]:
    return lambda text: text.replace("secret", "***")


def test_a_note_is_said_at_once_and_masked(
    hide: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    Notes(hide).say("the secret is out")
    assert capsys.readouterr() == ("", "milo: warning: the *** is out\n")


def test_what_is_held_is_said_in_order_when_released_and_the_rest_at_once(
    hide: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    notes = Notes(hide)
    notes.hold()
    notes.say("one")
    notes.say("two")
    assert capsys.readouterr().err == ""
    notes.release()
    assert capsys.readouterr().err == "milo: warning: one\nmilo: warning: two\n"
    notes.say("three")
    notes.release()
    assert capsys.readouterr().err == "milo: warning: three\n"


def test_nobody_at_the_other_end_is_no_error(
    hide: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as nobody:
        monkeypatch.setattr(sys, "stderr", nobody)
        Notes(hide).say("anybody?")
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), nobody.fileno())
