"""What effects refuse, and in which words."""

from __future__ import annotations

import pytest

from milo.errors import StateError
from milo.saga.checks import check_callable, check_seconds, each_saga


def test_what_works_passes() -> None:
    check_callable("Call", len)
    assert check_seconds("Delay", 0.5) == 0.5
    assert each_saga("All", iter([1, 2])) == (1, 2)


def test_what_cannot_be_called_is_said_with_what_to_pass() -> None:
    with pytest.raises(StateError) as refused:
        check_callable("Retry", 3)  # type: ignore[arg-type]
    assert str(refused.value) == (
        "Retry needs a function, got 3. Pass the function itself, not what calling it returns."
    )


def test_what_is_no_collection_of_sagas_is_said() -> None:
    with pytest.raises(StateError, match=r"All needs several sagas, got 3\. Pass them as a list or tuple\."):
        each_saga("All", 3)  # type: ignore[arg-type]


def test_what_is_no_time_is_said() -> None:
    with pytest.raises(StateError, match=r"Delay must be a finite number of seconds, at least 0, got -1\."):
        check_seconds("Delay", -1)
