"""Calling sagas off: limits, the time a Call is given to end, and what comes too late."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest

from milo.action import Action
from milo.execution import ThreadWorkers
from milo.execution.loops import LoopCoroutines
from milo.saga import Call, Fork, Put, SagaCancelled, SagaTask, Take
from milo.saga.cancelling import overrun
from milo.saga.ports import Job, current_job
from milo.store import Store
from milo.testing import FakeClock

WAIT_S = 30


class UnderWay:
    """A store in virtual time whose Calls are under way until the test ends them.

    A plain function may let time pass while it runs; a coroutine goes on until `end`.
    """

    workers = 4
    abandoned = 0

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log: list[Any] = []
        self.given_up: list[Job] = []
        self.coroutines: list[Job] = []
        self._jobs: deque[Job] = deque()
        self.store = Store(self._note, clock=self.clock, executor=self)

    def _note(self, state: Any, action: Action) -> None:
        self.log.append((self.clock.now(), action.type))

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wake(self) -> None:
        while self._jobs:
            self.clock.call_at(self.clock.now(), partial(self._run, self._jobs.popleft()))

    def _run(self, job: Job) -> None:
        job.run()
        self.wake()

    def run_coroutine(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        coroutine.close()
        self.coroutines.append(job)
        job.on_cancel(lambda: self.log.append((self.clock.now(), "told")))

    def abandon(self, job: Job) -> None:
        self.given_up.append(job)

    def close(self) -> None:
        self._jobs.clear()

    def start(self, call: Call) -> SagaTask:
        """Start a saga that makes `call` and logs what comes of it."""

        def saga() -> Any:
            try:
                answer = yield call
                self.log.append((self.clock.now(), answer))
            except BaseException as error:
                self.log.append((self.clock.now(), str(error) or type(error).__name__))
                raise

        task = self.store.run_saga(saga)
        self.clock.advance(0)
        return task

    def end(self, value: Any = "ended", error: BaseException | None = None) -> None:
        """End the oldest coroutine."""
        self.coroutines.pop(0).deliver(value, error)

    @property
    def told(self) -> list[tuple[float, Any]]:
        return [entry for entry in self.log if not str(entry[1]).startswith("@@")]


@pytest.fixture
def way() -> Iterator[UnderWay]:
    way = UnderWay()
    yield way
    way.store.shutdown()


async def coroutine() -> None:
    """Goes on until the test ends it."""


# Limits


def test_a_call_that_cannot_be_interrupted_is_abandoned_at_its_limit(way: UnderWay) -> None:
    """The saga hears of it there and then; what the call returns later reaches nobody."""

    def busy() -> str:
        way.clock.advance(3)
        assert way.told == [(3.0, "timed out after 3 s")]
        way.clock.advance(7)
        return "too late"

    task = way.start(Call(busy, timeout=3, linger=5))
    way.clock.advance(100)
    assert way.told == [(3.0, "timed out after 3 s")]
    assert isinstance(task.exception(), TimeoutError)
    assert [job.fn for job in way.given_up] == [busy]


def test_a_call_that_ends_in_time_leaves_no_limit_behind(way: UnderWay) -> None:
    """Nothing is due any more on the clock."""
    way.start(Call(lambda: "done", timeout=3))
    assert way.told == [(0.0, "done")]
    assert way.clock.next_due() is None


def test_an_error_before_the_limit_is_the_calls_own(way: UnderWay) -> None:
    """A TimeoutError of its own included."""
    task = way.start(Call(coroutine, timeout=3))
    way.end(error=TimeoutError("the server did not answer"))
    way.clock.advance(10)
    assert str(task.exception()) == "the server did not answer"


@pytest.mark.parametrize(
    ("first", "expected"),
    [("outcome", ["ended", "waits on"]), ("limit", ["timed out after 3 s"])],
    ids=["outcome", "limit"],
)
def test_of_an_outcome_and_a_limit_at_the_same_moment_the_first_counts(
    way: UnderWay, first: str, expected: list[str]
) -> None:
    """The saga goes on with one of the two, and the other does not touch what it waits for then."""
    log: list[str] = []

    def saga() -> Any:
        try:
            log.append((yield Call(coroutine, timeout=3)))
            log.append("waits on")
            yield Take("never")
        except TimeoutError as error:
            log.append(str(error))

    way.store.run_saga(saga)
    way.clock.advance(0)
    runner: Any = way.store._runner
    arrive = [way.end, partial(runner.send, overrun, (way.coroutines[0], 3))]
    # As if another thread were advancing sagas: both come to lie in the inbox before either is looked at.
    with runner._baton:
        for each in arrive if first == "outcome" else reversed(arrive):
            each()
    runner.poke()
    assert log == expected


def test_a_call_whose_time_is_up_while_it_waits_for_a_worker_is_never_made(way: UnderWay) -> None:
    """And nobody was busy with it who would have to be replaced."""
    way.wake = lambda: None  # type: ignore[method-assign]
    calls: list[int] = []
    task = way.start(Call(lambda: calls.append(1), timeout=3))
    way.clock.advance(3)
    assert isinstance(task.exception(), TimeoutError)
    del way.wake
    way.wake()
    way.clock.advance(1)
    assert calls == []
    assert way.given_up == []


# Lingering


def test_a_call_that_can_be_interrupted_is_waited_for(way: UnderWay) -> None:
    """The saga hears of its cancellation when the call has ended, and its outcome does not matter."""
    task = way.start(Call(coroutine, linger=5))
    way.clock.advance(1)
    task.cancel()
    way.clock.advance(2)
    assert way.told == [(1.0, "told")]
    way.end("a result")
    assert way.told == [(1.0, "told"), (3.0, "SagaCancelled")]
    assert task.cancelled()
    assert way.given_up == []


def test_a_call_that_does_not_end_in_the_time_it_is_given_is_given_up(way: UnderWay) -> None:
    """What it brings afterwards is dropped."""
    task = way.start(Call(coroutine, linger=5))
    job = way.coroutines[0]
    task.cancel()
    way.clock.advance(4.9)
    assert not task.done()
    assert not job.dropped
    way.clock.advance(0.1)
    assert task.cancelled()
    assert job.dropped
    way.end()
    assert way.told == [(0.0, "told"), (5.0, "SagaCancelled")]


def test_a_call_that_is_given_up_twice_is_abandoned_once(way: UnderWay) -> None:
    """Its worker would otherwise be replaced twice."""

    def busy() -> None:
        job = current_job.get()
        assert job is not None
        assert job.cancel() == 0.0
        assert job.cancel() == 0.0
        job.drop()

    way.start(Call(busy))
    assert [job.fn for job in way.given_up] == [busy]


def test_without_linger_nobody_waits(way: UnderWay) -> None:
    """The call is told all the same."""
    task = way.start(Call(coroutine))
    task.cancel()
    assert task.cancelled()
    assert way.told == [(0.0, "told"), (0.0, "SagaCancelled")]


@pytest.mark.parametrize(("linger", "end"), [(5.0, 4.0), (1.0, 4.0), (0.25, 3.25), (0.0, 3.0)])
def test_after_a_limit_a_call_has_a_second_at_most_to_end(way: UnderWay, linger: float, end: float) -> None:
    """Less where less is granted."""
    way.start(Call(coroutine, timeout=3, linger=linger))
    way.clock.advance(100)
    assert way.told == [(3.0, "told"), (end, "timed out after 3 s")]


def test_what_a_call_returns_after_its_limit_does_not_undo_it(way: UnderWay) -> None:
    """It is over as soon as the call has ended."""
    way.start(Call(coroutine, timeout=3, linger=5))
    way.clock.advance(3.5)
    way.end("just too late")
    assert way.told == [(3.0, "told"), (3.5, "timed out after 3 s")]


def test_a_plain_call_that_looks_whether_it_was_cancelled_is_waited_for(way: UnderWay) -> None:
    """One that does not look could not end by itself."""

    def heeding() -> None:
        job = current_job.get()
        assert job is not None
        job.heeds = True
        way.clock.advance(3.5)
        assert job.cancelled
        assert way.told == []

    way.start(Call(heeding, timeout=3, linger=5))
    assert way.told == [(3.5, "timed out after 3 s")]
    assert way.given_up == []


def test_a_plain_call_with_a_callback_is_waited_for_while_it_is_registered(way: UnderWay) -> None:
    """Like one that runs a subprocess; when that is over, nothing can be interrupted any more."""
    heard: list[float] = []

    def calling(taken_back: bool) -> None:
        job = current_job.get()
        assert job is not None
        take_back = job.on_cancel(lambda: heard.append(way.clock.now()))
        if taken_back:
            take_back()
            take_back()
        way.clock.advance(0.5)

    for taken_back in (False, True):
        way.start(Call(calling, (taken_back,), timeout=0.25, linger=5))
    assert heard == [0.25]
    assert way.told == [(0.5, "timed out after 0.25 s"), (0.75, "timed out after 0.25 s")]
    assert len(way.given_up) == 1


# More than one interruption


def test_a_cancellation_that_comes_while_a_call_ends_after_its_limit_takes_its_place(way: UnderWay) -> None:
    """The saga is cancelled, not failed; the call gets no further time."""
    task = way.start(Call(coroutine, timeout=3, linger=5))
    way.clock.advance(3.5)
    task.cancel()
    way.clock.advance(0.5)
    assert task.cancelled()
    assert way.told == [(3.0, "told"), (4.0, "SagaCancelled")]


def test_a_limit_that_passes_while_a_call_ends_after_a_cancellation_changes_nothing(way: UnderWay) -> None:
    """It is cancelled, and has the time that it was given for that."""
    task = way.start(Call(coroutine, timeout=3, linger=5))
    way.clock.advance(1)
    task.cancel()
    way.clock.advance(4)
    assert not task.done()
    way.clock.advance(1)
    assert task.cancelled()
    assert way.told == [(1.0, "told"), (6.0, "SagaCancelled")]


def test_cancelling_again_does_not_disturb_the_cleanup(way: UnderWay) -> None:
    """Not even a Call that the cleanup waits for."""

    def saga() -> Any:
        try:
            yield Call(coroutine, linger=5)
        finally:
            answer = yield Call(coroutine)
            way.log.append((way.clock.now(), answer))

    task = way.store.run_saga(saga)
    way.clock.advance(0)
    task.cancel()
    task.cancel()
    way.end()
    task.cancel()
    way.clock.advance(2)
    way.end("cleaned up")
    assert way.told == [(0.0, "told"), (2.0, "cleaned up")]
    assert task.cancelled()


def test_children_are_told_before_their_parent_and_keep_it_from_being_done(way: UnderWay) -> None:
    """Until their Calls have ended."""

    def child() -> Any:
        try:
            yield Call(coroutine, linger=5)
        finally:
            yield Put(Action("child"))

    def parent() -> Any:
        try:
            yield Fork(child, attached=True)
            yield Take("never")
        finally:
            yield Put(Action("parent"))

    task = way.store.run_saga(parent)
    way.clock.advance(0)
    task.cancel()
    way.clock.advance(2)
    assert not task.done()
    way.end()
    assert task.cancelled()
    told = [entry for entry in way.log if entry[1] in ("told", "child", "parent")]
    assert told == [(0.0, "told"), (0.0, "parent"), (2.0, "child")]


def test_a_saga_that_has_ended_cannot_be_cancelled_and_its_children_can(way: UnderWay) -> None:
    """Its task is done when they are."""

    def child() -> Any:
        yield Call(coroutine, linger=5)

    def parent() -> Any:
        yield Fork(child, attached=True)
        return "result"

    task = way.store.run_saga(parent)
    way.clock.advance(0)
    task.cancel()
    way.end()
    assert task.cancelled()


def test_thousands_of_limits_leave_nothing_behind(way: UnderWay) -> None:
    """Neither on the clock nor in the runner."""

    def saga() -> Any:
        for number in range(2_000):
            yield Call(int, timeout=1_000 + number, linger=1)

    way.store.run_saga(saga)
    way.clock.advance(1)
    runner: Any = way.store._runner
    assert not runner._tasks
    assert way.clock.next_due() is None


# Real threads and loops


def threads() -> Store:
    return Store(lambda state, action: state, max_workers=1)


def test_on_threads_a_call_that_heeds_its_cancellation_has_ended_when_the_saga_hears_of_it() -> None:
    """In the right order, without a pause."""
    started, log = threading.Event(), []

    def work() -> None:
        job = current_job.get()
        assert job is not None
        told = threading.Event()
        job.on_cancel(told.set)
        started.set()
        assert told.wait(WAIT_S)
        log.append("call ended")

    def saga() -> Any:
        try:
            yield Call(work, linger=WAIT_S)
        except SagaCancelled:
            log.append("saga told")
            raise

    with threads() as store:
        task = store.run_saga(saga)
        assert started.wait(WAIT_S)
        task.cancel()
        task.wait_done(WAIT_S)
        executor: Any = store._runner.executor
        assert executor.abandoned == 0
    assert log == ["call ended", "saga told"]
    assert task.cancelled()


@pytest.mark.parametrize("interruptible", [False, True], ids=["plain", "deaf to what it registered"])
def test_on_threads_a_call_that_goes_on_after_its_limit_gives_its_worker_back(interruptible: bool) -> None:
    """Another call gets through on the only one; what it was busy with goes on behind it."""
    release, ended = threading.Event(), threading.Event()

    def stuck() -> None:
        job = current_job.get()
        assert job is not None
        if interruptible:
            job.on_cancel(lambda: None)
        release.wait(WAIT_S)
        ended.set()

    with threads() as store:
        task = store.run_saga(lambda: (yield Call(stuck, timeout=0.05, linger=0.05)))
        error = task.exception(WAIT_S)
        assert isinstance(error, TimeoutError)
        assert str(error) == "timed out after 0.05 s"
        assert not ended.is_set()
        assert store.run_saga(lambda: (yield Call(lambda: "quick"))).result(WAIT_S) == "quick"
        release.set()
        assert ended.wait(WAIT_S)


def test_a_coroutine_that_is_cancelled_before_its_first_step_ends_its_call() -> None:
    """It is never begun, and nobody waits for it until the time it is given is over."""
    begun: list[int] = []
    loop = asyncio.new_event_loop()

    async def work() -> None:
        begun.append(1)

    executor = ThreadWorkers(1, coroutines=LoopCoroutines(loop))
    submitted = threading.Event()
    loop.call_soon_threadsafe = _telling(loop.call_soon_threadsafe, submitted)  # type: ignore[method-assign]
    with Store(lambda state, action: state, executor=executor) as store:
        task = store.run_saga(lambda: (yield Call(work, linger=600)))
        assert submitted.wait(WAIT_S)
        task.cancel()
        store.run_saga(lambda: (yield Call(int))).result(WAIT_S)
        assert not task.done()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        task.wait_done(WAIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
    loop.close()
    assert task.cancelled()
    assert begun == []


def _telling(function: Callable[..., Any], event: threading.Event) -> Callable[..., Any]:
    def telling(*args: Any, **options: Any) -> Any:
        answer = function(*args, **options)
        event.set()
        return answer

    return telling


@pytest.mark.parametrize("limit", [None, 0.05], ids=["cancelled", "limit"])
def test_a_coroutine_cleans_up_before_its_saga_hears_of_the_end(limit: float | None) -> None:
    """Though its cleanup waits as well."""
    started, log = threading.Event(), []

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            log.append("cleaned up")

    def saga() -> Any:
        try:
            yield Call(work, timeout=limit, linger=WAIT_S)
        except BaseException as error:
            log.append(type(error).__name__)
            raise

    with threads() as store:
        task = store.run_saga(saga)
        assert started.wait(WAIT_S)
        if limit is None:
            task.cancel()
        task.wait_done(WAIT_S)
    assert log == ["cleaned up", "SagaCancelled" if limit is None else "TimeoutError"]
