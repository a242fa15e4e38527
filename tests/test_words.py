"""Numbers as a person says them."""

import pytest

from milo.words import count, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.00 s"),
        (0.344, "0.34 s"),
        (0.999, "1.0 s"),
        (9.94, "9.9 s"),
        (9.999, "10 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599, "59 min 59 s"),
        (3600 * 2 + 180, "2 h 03 min"),
    ],
)
def test_a_duration_reads_the_way_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_count_agrees_with_its_noun() -> None:
    assert [count(1, "phase"), count(2, "phase")] == ["1 phase", "2 phases"]
