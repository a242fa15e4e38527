"""The bookkeeping of what may start: no effects, no threads."""

from milo import Phase
from milo.pipeline.graph import Graph
from milo.pipeline.schedule import Schedule


def schedule(limit: int, *phases: tuple[str, bool, float, tuple[str, ...]]) -> Schedule:
    """Phases as (name, parallel, weight, what it needs); their numbers are their places."""
    made = [
        Phase(name, lambda: None, parallel=parallel, weight=weight, depends_on=needs)
        for name, parallel, weight, needs in phases
    ]
    return Schedule(made, Graph(made, {phase.name: at for at, phase in enumerate(made)}), limit)


def test_parallel_phases_are_taken_by_priority_up_to_the_limit() -> None:
    it = schedule(2, ("a", True, 1, ()), ("b", True, 3, ()), ("c", True, 2, ()))
    assert it.take_parallel() == [1, 2]
    assert it.take_parallel() == []
    it.leave()
    assert it.take_parallel() == [0]
    assert it.running == 2


def test_an_exclusive_phase_starts_only_when_nothing_runs_and_it_comes_first() -> None:
    it = schedule(4, ("low", False, 1, ()), ("high", True, 5, ()))
    assert it.take_exclusive() is None
    assert it.take_parallel() == [1]
    assert it.take_exclusive() is None
    it.leave()
    assert it.take_exclusive() == 0


def test_an_exclusive_phase_that_comes_first_holds_parallel_ones_back() -> None:
    it = schedule(4, ("high", False, 5, ()), ("low", True, 1, ()))
    assert it.take_parallel() == []
    assert it.take_exclusive() == 0
    it.leave()
    assert it.take_parallel() == [1]


def test_while_something_runs_parallel_phases_start_before_a_ready_exclusive_one() -> None:
    it = schedule(2, ("a", True, 9, ()), ("x", False, 5, ()), ("b", True, 1, ()))
    assert it.take_parallel() == [0, 2]


def test_release_makes_ready_what_waited_for_the_last_dependency() -> None:
    it = schedule(4, ("a", True, 1, ()), ("b", True, 1, ()), ("c", True, 1, ("a", "b")))
    assert it.take_parallel() == [0, 1]
    it.release(0)
    assert it.take_parallel() == []
    it.release(1)
    assert it.take_parallel() == [2]


def test_what_is_put_back_is_ready_again_and_no_longer_runs() -> None:
    it = schedule(4, ("a", True, 1, ()), ("b", True, 2, ()))
    taken = it.take_parallel()
    it.put_back(taken)
    assert it.running == 0
    assert it.take_parallel() == taken


def test_dropping_lets_nothing_start() -> None:
    it = schedule(4, ("a", True, 1, ()), ("b", False, 2, ()))
    it.stop()
    assert (it.take_parallel(), it.take_exclusive()) == ([], None)
