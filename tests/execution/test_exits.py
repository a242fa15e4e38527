"""What is said of a process that has ended."""

from __future__ import annotations

import pytest

from milo.execution.exits import exit_reason, exit_words


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exited with status 0"), (-9, "was ended by SIGKILL"), (-200, "was ended by signal 200")],
)
def test_a_status_is_told_in_words(status: int, words: str) -> None:
    assert exit_words(status) == words


def test_a_reason_is_guessed_where_there_is_one() -> None:
    assert "memory runs out" in exit_reason(-9)
    assert "os._exit" in exit_reason(3)
    assert exit_reason(-11) == ""
