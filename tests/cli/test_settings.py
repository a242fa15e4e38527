"""What is asked of a run from several places."""

from milo.cli.settings import first


def test_the_first_that_says_something_counts() -> None:
    assert first(None, 0, 5) == 0
    assert first(None, False, True) is False
    assert first(None, None) is None
