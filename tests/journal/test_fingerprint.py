"""The fingerprint of a phase, and what is said when it changes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from milo import Phase, PhasePolicy
from milo.journal.fingerprint import Fingerprint, Fingerprinter, change


def work() -> int:
    return 1


def other() -> int:
    return 2


def fingerprint(handler: Any = work, **more: Any) -> Fingerprint:
    return Fingerprinter().fingerprint(Phase("a", handler, **more))


def test_unchanged() -> None:
    """The same declaration has the same fingerprint, and nothing changed."""
    assert fingerprint() == fingerprint()
    assert change(fingerprint(), fingerprint()) == ""


@pytest.mark.parametrize(
    "more",
    [
        {"weight": 3},
        {"description": "x"},
        {"parallel": True},
        {"max_logs": 3},
        {"persist": False},
        {"timeout": 3.0},
    ],
)
def test_what_does_not_count(more: dict[str, Any]) -> None:
    """What a phase is shown with, or how it is scheduled, is no change of its result."""
    assert change(fingerprint(), fingerprint(**more)) == ""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"handler": other}, "its handler changed"),
        ({"version": "2"}, "its version changed from '' to '2'"),
        ({"policy": PhasePolicy(on_fail="skip")}, "its policy changed"),
        ({"policy": PhasePolicy(on_fail="retry", max_retries=1, retry_on=(OSError,))}, "its policy changed"),
    ],
)
def test_what_counts(more: dict[str, Any], words: str) -> None:
    """Handler, version and policy count, and it is said which of them it was."""
    assert change(fingerprint(), fingerprint(**more)) == words


def test_policy_of_its_own() -> None:
    """A policy that says what the default says is the default."""
    assert fingerprint(policy=PhasePolicy(on_fail="stop", retry_delay=1.0)) == fingerprint()


def test_another_python() -> None:
    """Code compiled by another Python cannot be compared: unchanged for resuming, changed for reuse."""
    assert change(fingerprint(), fingerprint(other), same_python=False) == ""
    assert "another Python" in change(fingerprint(), fingerprint(), same_python=False, reuse=True)
    assert "version" in change(fingerprint(), fingerprint(version="2"), same_python=False)


def test_what_cannot_be_told() -> None:
    """What cannot be told counts as unchanged for resuming and as changed for reuse."""
    lock = threading.Lock()
    uncertain = fingerprint(lambda: lock)
    assert change(uncertain, uncertain) == ""
    assert "cannot be told" in change(uncertain, uncertain, reuse=True)
    assert change(fingerprint(), fingerprint(), reuse=True) == ""


def test_phases_share_a_fingerprint() -> None:
    """Phases with everything in common cost one look."""
    fingerprinter = Fingerprinter()
    one, two = (fingerprinter.fingerprint(Phase(name, work)) for name in "ab")
    assert one is two
    assert fingerprinter.fingerprint(Phase("c", work, version="1")) is not one
