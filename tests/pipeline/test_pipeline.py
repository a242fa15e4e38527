"""Pipeline: what it refuses, what >> makes, and that nothing of it is quadratic or recursive."""

import pickle
import threading
from typing import Any

import pytest

from milo import Action, Phase, Pipeline
from milo.errors import CycleError, PipelineError
from milo.pipeline.pipeline import new_run_id


def work() -> None:
    pass


def phase(name: str, *depends_on: str, **fields: Any) -> Phase:
    return Phase(name, work, depends_on=depends_on, **fields)


def names(pipeline: Pipeline) -> list[str]:
    return [each.name for each in pipeline.phases]


# Refusals


@pytest.mark.parametrize("name", ["", "  ", 7, None, "a\nb", "a\x1b[1m", "a\u202e"])
def test_a_pipeline_name_is_refused(name: Any) -> None:
    with pytest.raises(PipelineError, match="A pipeline name must be a printable string, got"):
        Pipeline(name)


def test_a_duplicate_name_is_refused() -> None:
    with pytest.raises(PipelineError) as caught:
        Pipeline("p", phase("a"), phase("a"))
    assert str(caught.value) == "The phase name 'a' stands twice. Give each phase a name of its own."
    with pytest.raises(PipelineError, match="'a' stands twice"):
        Pipeline("p", phase("a")) >> phase("a")


@pytest.mark.parametrize("wrong", [work, "a", None, [phase("a")]])
def test_something_else_than_a_phase_is_refused(wrong: Any) -> None:
    with pytest.raises(PipelineError, match="A pipeline is made of phases, got"):
        Pipeline("p", wrong)
    with pytest.raises(TypeError):
        Pipeline("p") >> wrong


def test_a_list_of_phases_is_refused_with_how_to_unpack_it() -> None:
    with pytest.raises(PipelineError) as caught:
        Pipeline("p", [phase("a")])  # type: ignore[arg-type]
    assert str(caught.value) == (
        "A pipeline is made of phases, got a list of them. Unpack it: Pipeline(name, *phases)."
    )


def test_an_unknown_dependency_is_refused_with_the_names_there_are_and_the_nearest() -> None:
    message = (
        "Phase 'write' depends on 'pars', which does not exist. Available phases: discover, parse, write. "
        "Did you mean 'parse'?"
    )
    with pytest.raises(PipelineError) as caught:
        Pipeline("p", phase("discover"), phase("parse"), phase("write", "pars"))
    assert str(caught.value) == message
    with pytest.raises(PipelineError, match="depends on 'pars', which does not exist"):
        Pipeline("p", phase("discover"), phase("parse")) >> phase("write", "pars")


def test_a_refusal_in_a_large_pipeline_names_some_phases_and_their_number() -> None:
    many = [phase(f"n{number}") for number in range(500)]
    with pytest.raises(PipelineError, match=r"n19, \.\.\. \(501 in all\)"):
        Pipeline("p", *many, phase("x", "nothing like it"))


@pytest.mark.parametrize(
    ("phases", "circle"),
    [
        ([("a", "a")], ("a", "a")),
        ([("a", "b"), ("b", "a")], ("a", "b", "a")),
        ([("x",), ("a", "x", "b"), ("b", "c"), ("c", "a"), ("y", "c")], ("a", "b", "c", "a")),
    ],
)
def test_a_circle_is_refused_and_shown(phases: list[tuple[str, ...]], circle: tuple[str, ...]) -> None:
    with pytest.raises(CycleError) as caught:
        Pipeline("p", *[phase(*each) for each in phases])
    assert str(caught.value).startswith(f"Circular dependency: {' → '.join(circle)}.")
    assert caught.value.cycle == circle
    assert isinstance(caught.value, PipelineError)


def test_a_phase_that_is_appended_and_names_itself_is_a_circle() -> None:
    with pytest.raises(CycleError, match="Circular dependency: a → a"):
        Pipeline("p") >> phase("a", "a")
    with pytest.raises(CycleError, match="Circular dependency: b → b"):
        Pipeline("p", phase("a")) >> phase("b", "a", "b")


def test_a_long_circle_is_found_without_recursion() -> None:
    size = 20_000
    ring = [phase(f"n{number}", f"n{(number + 1) % size}") for number in range(size)]
    with pytest.raises(CycleError) as caught:
        Pipeline("p", *ring)
    assert len(caught.value.cycle) == size + 1


# Size


def test_a_chain_of_100_000_phases_declares_without_recursion() -> None:
    size = 100_000
    chain = [phase("n0"), *[phase(f"n{number}", f"n{number - 1}") for number in range(1, size)]]
    pipeline = Pipeline("p", *reversed(chain))
    assert pipeline.execution_order()[:2] == ["n0", "n1"]
    assert len(pipeline.execution_order()) == size


def test_appending_does_not_copy_the_phases() -> None:
    """10,000 appended phases share one list, so appending all of them is not quadratic."""
    pipeline = first = Pipeline("p", phase("n0"))
    for number in range(1, 10_000):
        pipeline = pipeline >> phase(f"n{number}", f"n{number - 1}")
    assert pipeline._declared is first._declared
    assert len(pipeline.execution_order()) == 10_000
    assert names(first) == ["n0"]


# >>


def test_the_original_and_every_step_stay_as_they_were() -> None:
    base = Pipeline("p", phase("a"))
    left = base >> phase("b", "a")
    right = base >> phase("c", "a")
    longer = left >> phase("c", "b")
    assert [names(each) for each in (base, left, right, longer)] == [
        ["a"],
        ["a", "b"],
        ["a", "c"],
        ["a", "b", "c"],
    ]
    assert longer.phase("c").depends_on == ("b",)
    assert right.phase("c").depends_on == ("a",)


def test_a_phase_of_a_longer_pipeline_is_unknown_to_the_shorter_one() -> None:
    base = Pipeline("p", phase("alpha"))
    _ = base >> phase("beta")
    with pytest.raises(PipelineError, match=r"Phase 'beta' does not exist. Available phases: alpha"):
        base.phase("beta")
    assert base.execution_order() == ["alpha"]
    assert len(base.build_reducer()(None, Action("@@INIT")).phases) == 1


def test_a_refused_append_leaves_no_trace() -> None:
    base = Pipeline("p", phase("a"))
    with pytest.raises(PipelineError):
        base >> phase("b", "nothing")
    assert names(base >> phase("b")) == ["a", "b"]


def test_a_dependency_of_another_branch_is_refused() -> None:
    base = Pipeline("p", phase("a"))
    _ = base >> phase("b")
    with pytest.raises(PipelineError, match="depends on 'b', which does not exist"):
        base >> phase("c", "b")


def test_the_flags_are_kept() -> None:
    pipeline = Pipeline("p", capture_output=True, fail_fast=True) >> phase("a")
    assert (pipeline.name, pipeline.capture_output, pipeline.fail_fast) == ("p", True, True)


def test_appending_from_several_threads_gives_each_its_own_pipeline() -> None:
    base = Pipeline("p", phase("a"))
    made: list[Pipeline] = []
    together = threading.Barrier(4)

    def extend(letter: str) -> None:
        together.wait(30)
        pipeline = base
        for number in range(100):
            pipeline = pipeline >> phase(f"{letter}{number}")
        made.append(pipeline)

    threads = [threading.Thread(target=extend, args=(letter,)) for letter in "wxyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pipeline in made:
        letter = names(pipeline)[1][0]
        assert names(pipeline) == ["a", *[f"{letter}{number}" for number in range(100)]]


# The rest


def test_phases_is_a_tuple_in_declared_order() -> None:
    assert names(Pipeline("p", phase("b"), phase("a"))) == ["b", "a"]
    assert isinstance(Pipeline("p").phases, tuple)


def test_execution_order_goes_level_by_level_sorted_inside_a_level() -> None:
    pipeline = Pipeline(
        "p", phase("z"), phase("late", "m", "z"), phase("m", "z"), phase("a"), phase("b", "z")
    )
    assert pipeline.execution_order() == ["a", "z", "b", "m", "late"]


def test_subset_is_a_pipeline_of_its_own_in_declared_order() -> None:
    pipeline = Pipeline(
        "p", phase("a"), phase("x"), phase("b", "a"), phase("c", "b"), capture_output=True, fail_fast=True
    )
    part = pipeline.subset(["c", "a"])
    assert (names(part), part.capture_output, part.fail_fast) == (["a", "b", "c"], True, True)
    assert names(pipeline.subset("b")) == ["a", "b"]
    with pytest.raises(PipelineError, match="Phase 'q' does not exist"):
        pipeline.subset(["q"])


def test_replace_gives_the_same_phases_with_other_flags() -> None:
    pipeline = Pipeline("p", phase("a"))
    other = pipeline.replace(capture_output=True, fail_fast=True)
    assert (pipeline.capture_output, other.capture_output, other.fail_fast) == (False, True, True)
    assert other.phases == pipeline.phases
    assert other.replace().capture_output is True


def test_a_pipeline_can_be_pickled() -> None:
    pipeline = Pipeline("p", phase("a"), phase("b", "a"), capture_output=True)
    again = pickle.loads(pickle.dumps(pipeline))
    assert (again.name, again.phases, again.capture_output) == ("p", pipeline.phases, True)


def test_the_repr_is_short() -> None:
    assert repr(Pipeline("p", phase("a"))) == "<Pipeline 'p': 1 phases>"


def test_run_ids_differ() -> None:
    assert len({new_run_id() for _ in range(50)}) == 50
