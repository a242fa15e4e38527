"""Attempt: a value that runs a handler when it is called."""

import asyncio
import concurrent.futures
import pickle
import sys
import threading

import pytest

import milo
from milo import Phase, Pipeline
from milo.pipeline.attempt import Attempt
from milo.saga.effects import SagaCancelled


def add(a: int, b: int = 0) -> int:
    print("adding")
    return a + b


def test_calling_it_calls_the_handler() -> None:
    assert Attempt("sum", 1, add, (1,), {"b": 2})() == 3


def test_called_by_hand_the_output_passes_through_even_with_capture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Attempt("sum", 1, add, (1,), capture=True)()
    assert capsys.readouterr().out == "adding\n"


def test_it_is_a_value() -> None:
    one, same = Attempt("sum", 1, add, (1,), {"b": 2}), Attempt("sum", 1, add, (1,), {"b": 2})
    assert one == same
    assert hash(one) == hash(same)
    assert one != Attempt("sum", 2, add, (1,), {"b": 2})
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one).startswith("Attempt(name='sum', number=1, handler=")
    with pytest.raises(AttributeError):
        one.number = 3
    assert Attempt("sum", 1, add).run_id == ""


@pytest.mark.parametrize("error", [GeneratorExit(), SagaCancelled()])
def test_an_error_that_would_end_the_saga_itself_becomes_a_failure(error: BaseException) -> None:
    def handler() -> None:
        raise error

    with pytest.raises(RuntimeError, match=f"phase 'it' raised {type(error).__name__}") as caught:
        Attempt("it", 1, handler)()
    assert caught.value.__cause__ is error


def test_a_coroutine_is_given_back_to_whoever_called() -> None:
    async def handler() -> int:
        return 4

    assert asyncio.run(Attempt("it", 1, handler)()) == 4


def test_lines_are_made_safe() -> None:
    def handler() -> None:
        print("a\x1b]0;title\x07b\x1b[31mred")

    result = milo.run(Pipeline("p", Phase("it", handler), capture_output=True))
    line = result.state.phase("it").logs[0].line
    assert "\x1b]" not in line
    assert "\x1b[31mred" in line


def test_what_a_cancelled_attempt_prints_is_dropped_while_the_store_goes_on() -> None:
    inside, release, ended = threading.Event(), threading.Event(), threading.Event()

    def handler() -> None:
        inside.set()
        release.wait(30)
        print("too late")
        sys.stdout.flush()
        ended.set()

    pipeline = Pipeline("p", Phase("it", handler), capture_output=True)
    with milo.Store(pipeline.build_reducer()) as store:
        task = store.run_saga(pipeline.build_saga()())
        assert inside.wait(30)
        task.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            task.result(30)
        release.set()
        assert ended.wait(30)
        assert store.get_state().phase("it").logs == ()


def test_a_line_is_told_while_the_handler_runs() -> None:
    heard = threading.Event()

    def handler() -> bool:
        print("hello")
        return heard.wait(30)

    def on_state(state: milo.PipelineState) -> None:
        if state.phase("it").logs and state.phase("it").status == "running":
            heard.set()

    result = milo.run(Pipeline("p", Phase("it", handler), capture_output=True), on_state=on_state)
    assert result.results == {"it": True}
