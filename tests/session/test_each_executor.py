"""The rules of a run hold wherever its phases run."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from hypothesis import Phase as HypothesisPhase
from hypothesis import given, settings

import milo
from milo import Phase, Pipeline
from tests.pipeline.reference import Case

from .behaviour import Step, cases, check, pipeline_of
from .helpers import in_thread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")

EXECUTORS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "threads": lambda: nullcontext("threads"),
    "processes": lambda: nullcontext("processes"),
    "dask": lambda: nullcontext("dask"),
    "thread pool": lambda: ThreadPoolExecutor(3),
    "process pool": lambda: ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")),
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[object]:
    """One for all runs; what it has started is used again where it stays open."""
    with EXECUTORS[request.param]() as executor:
        yield executor


# A failure depends on real time as well: to make it smaller would take minutes and find another.
@settings(max_examples=15, phases=[HypothesisPhase.reuse, HypothesisPhase.generate])
@given(case=cases())
def test_order_exclusivity_limits_and_failures_are_the_same_everywhere(executor: object, case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        diary = Path(folder) / "diary"
        diary.touch()
        result = in_thread(
            lambda: milo.run(
                pipeline_of(case, diary),
                executor=executor,
                max_workers=case.workers,
                keep_going=case.keep_going,
            )
        )
        if isinstance(result, BaseException):
            raise result
        check(case, result, diary)


def test_a_run_is_resumed_without_repeating_what_is_done_everywhere(executor: object, tmp_path: Path) -> None:
    diary, needed, journal = tmp_path / "diary", tmp_path / "needed", tmp_path / "runs.db"
    steps = [Step(name, diary, needed) for name in "abc"]
    pipeline = Pipeline(
        "p", *(Phase(step.name, step, depends_on=("a",) if step.name != "a" else ()) for step in steps)
    )
    failed = milo.run(pipeline, executor=executor, journal=journal)
    assert failed.state.phase("b").status == "failed"
    needed.touch()
    resumed = milo.run(pipeline, executor=executor, journal=journal, resume=True)
    assert [phase.error for phase in resumed.state.phases] == ["", "", ""]
    assert resumed.results == {"a": "a", "b": "b", "c": "c"}
    assert diary.read_text().split() == ["a", "b", "b", "c"]
