"""What a handler finds in another process, and how its outcome is told."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from milo import current_phase
from milo.errors import PhaseCancelled
from milo.execution.placement import WorkerError
from milo.execution.remote import Errand, RemoteHost, opened_outcome, packed_errand, packed_outcome
from milo.saga.effects import SagaCancelled
from tests.execution.elsewhere import TwoPartError, UnreadableError


class Told:
    """Takes what an attempt reports."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.heeded = 0
        self.ended = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def line(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))

    def heeds(self) -> None:
        self.heeded += 1

    def outcome(self, value: Any, error: BaseException | None) -> None:
        self.value, self.error = value, error
        self.ended.set()


def ran(handler: Callable[..., Any]) -> Told:
    told = Told()
    job = RemoteHost().run(Errand("build", 3, "run", True, 2.0, handler, (), {}), told)
    job.run()
    assert told.ended.wait(20)
    return told


def test_one_that_is_cancelled_before_it_begins_is_told_of() -> None:
    told = Told()
    job = RemoteHost().run(Errand("build", 1, "run", True, 2.0, pytest.fail, (), {}), told)
    job.cancel()
    job.run()
    assert told.ended.is_set()
    assert str(told.error) == "Phase 'build' was cancelled before it had begun."


def test_the_handler_knows_its_phase() -> None:
    def handler() -> tuple[object, ...]:
        phase = current_phase()
        phase.log("one\ntwo")
        return phase.name, phase.attempt, phase.idempotency_key, phase.grace_s

    told = ran(handler)
    assert told.value == ("build", 3, "run:build", 2.0)
    assert told.lines == [("stdout", "one"), ("stdout", "two")]
    assert told.heeded == 0


def test_who_looks_at_its_cancellation_is_known_to_heed_it_once() -> None:
    told = ran(lambda: (current_phase().cancelled, current_phase().cancelled))
    assert told.value == (False, False)
    assert told.heeded == 1


def test_who_has_something_to_end_is_known_to_heed_it() -> None:
    assert ran(lambda: current_phase().on_cancel(lambda: None)()).heeded == 1


def test_a_cancelled_coroutine_is_told_so() -> None:
    async def handler() -> None:
        import asyncio

        current_phase()._job.cancel()
        await asyncio.sleep(1000)

    assert type(ran(handler).error).__name__ == "CancelledError"


def test_errors_and_interrupts_are_outcomes() -> None:
    def fail() -> None:
        raise PhaseCancelled("x")

    def end_saga() -> None:
        raise SagaCancelled

    assert isinstance(ran(fail).error, PhaseCancelled)
    assert str(ran(end_saga).error) == "The handler of phase 'build' raised SagaCancelled."


def test_a_value_comes_back() -> None:
    assert opened_outcome("a", packed_outcome("a", {"x": 1}, None)) == {"x": 1}


def test_an_error_comes_back_with_the_place_where_it_was_raised() -> None:
    try:
        raise KeyError("k")
    except KeyError as error:
        packed = packed_outcome("a", None, error)
    with pytest.raises(KeyError) as raised:
        opened_outcome("a", packed)
    assert "test_remote.py" in raised.value.__notes__[0]


def test_a_value_that_cannot_be_sent_is_an_error_with_the_reason() -> None:
    with pytest.raises(
        WorkerError, match="result of phase 'a' cannot be sent back: TypeError: cannot pickle"
    ):
        opened_outcome("a", packed_outcome("a", threading.Lock(), None))


def test_an_error_that_cannot_be_read_again_is_told_in_words() -> None:
    with pytest.raises(WorkerError, match=r"^UnreadableError: one and two"):
        opened_outcome("a", packed_outcome("a", None, UnreadableError("one", "two")))


def test_an_error_whose_init_takes_something_else_comes_back_as_what_it_is() -> None:
    try:
        raise TwoPartError("part", 7)
    except TwoPartError as error:
        packed = packed_outcome("a", None, error)
    with pytest.raises(TwoPartError, match="part 7") as raised:
        opened_outcome("a", packed)
    assert (str(raised.value), raised.value.number) == ("part 7", 7)
    assert "Raised in another process" in raised.value.__notes__[0]


def test_an_error_whose_text_fails_is_told_all_the_same() -> None:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(WorkerError, match=r"WordlessError: .its text cannot be shown"):
        opened_outcome("a", packed_outcome("a", None, WordlessError()))


class Wordless:
    """Neither can it be sent nor does the error say why."""

    class Error(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def __reduce__(self) -> str:
        raise self.Error


def test_a_reason_that_has_no_text_does_not_hide_what_cannot_be_sent() -> None:
    work = SimpleNamespace(
        name="a", number=1, run_id="r", capture=True, handler=int, args=(Wordless(),), kwargs={}
    )
    job: Any = SimpleNamespace(linger=1.0)
    with pytest.raises(
        WorkerError, match=r"given cannot be sent to a process: Error: \(its text cannot be shown\)"
    ):
        packed_errand(work, job, pickle.dumps, "a process")
    with pytest.raises(WorkerError, match=r"cannot be sent back: Error: \(its text cannot be shown\)"):
        opened_outcome("a", packed_outcome("a", Wordless(), None))


def test_what_cannot_be_read_here_is_an_error() -> None:
    packed = pickle.dumps(UnreadableError("one", "two"))
    with pytest.raises(WorkerError, match="What phase 'a' sent back cannot be read here"):
        opened_outcome("a", packed)
