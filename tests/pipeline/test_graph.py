"""The graph by number: order, levels, priorities, and the refusal of names that do not exist."""

from hypothesis import given
from hypothesis import strategies as st

from milo import Phase, Pipeline
from milo.pipeline.graph import Graph, unknown_phase


def graph(*phases: tuple[str, float, tuple[str, ...]]) -> Graph:
    made = [Phase(name, lambda: None, weight=weight, depends_on=needs) for name, weight, needs in phases]
    return Graph(made, {phase.name: number for number, phase in enumerate(made)})


def test_dependencies_and_successors_are_numbers_in_declared_order() -> None:
    made = graph(("c", 1, ("a", "b")), ("a", 1, ()), ("b", 1, ("a",)))
    assert made.dependencies == [(1, 2), (), (1,)]
    assert made.successors == [[], [0, 2], [0]]
    assert made.order == [1, 2, 0]


def test_a_level_is_the_longest_chain_of_dependencies() -> None:
    made = graph(("a", 1, ()), ("b", 1, ("a",)), ("c", 1, ("b", "a")), ("d", 1, ("a",)), ("e", 1, ()))
    assert [sorted(level) for level in made.levels()] == [[0, 4], [1, 3], [2]]


def test_priority_is_the_longest_remaining_path_by_weight() -> None:
    made = graph(("short", 5, ()), ("long", 1, ()), ("then", 3, ("long",)), ("last", 2, ("then",)))
    assert made.priority == [1, 0, 2, 3]


def test_equal_paths_start_in_declared_order() -> None:
    made = graph(("z", 1, ()), ("a", 1, ()), ("m", 1, ()), ("k", 0, ()))
    assert made.priority == [0, 1, 2, 3]


def test_weights_of_zero_still_have_an_order() -> None:
    assert graph(("a", 0, ()), ("b", 0, ("a",))).priority == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 20), max_size=4)), max_size=21))
def test_the_order_puts_dependencies_first_and_no_priority_stands_twice(
    rows: list[tuple[int, list[int]]],
) -> None:
    phases = [
        (f"n{number}", float(weight), tuple({f"n{each}" for each in needs if each < number}))
        for number, (weight, needs) in enumerate(rows)
    ]
    made = graph(*phases)
    place = {number: at for at, number in enumerate(made.order)}
    for number, needs in enumerate(made.dependencies):
        assert all(place[each] < place[number] for each in needs)
    assert sorted(made.priority) == list(range(len(rows)))


def test_the_nearest_name_is_suggested_or_none() -> None:
    assert unknown_phase("Phase 'rendr'", "rendr", {"render": 0}).hint == "Did you mean 'render'?"
    assert unknown_phase("Phase 'x'", "x", {"render": 0}).hint == ""
    assert str(unknown_phase("Phase 'x'", "x", {})) == "Phase 'x' does not exist. Available phases: none."


def test_the_graph_of_a_pipeline_is_made_once() -> None:
    pipeline = Pipeline("p", Phase("a", lambda: None))
    assert pipeline.graph is pipeline.graph
