"""The benchmark harness works on tiny graphs; no time is asserted, a machine may be as slow as it likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

sys.path.insert(0, str(BENCHMARKS))
try:
    import shapes
finally:
    sys.path.remove(str(BENCHMARKS))


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_prints_a_row_with_a_ratio_for_every_shape() -> None:
    """One tiny pair in each shape gives a row a shape, numbers in every column."""
    done = compare("250", "--pairs", "1", "--workers", "2")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [[shape, "250"] for shape in shapes.SHAPES]
    assert all(float(row[4]) > 0 for row in rows)


def test_refuses_a_count_that_makes_no_graph() -> None:
    """A count below three is wrong usage."""
    done = compare("2")
    assert done.returncode == 2
    assert "must be a whole number of at least 3; got '2'" in done.stderr


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_graph_has_the_count_and_names_only_earlier_phases(shape: str) -> None:
    """Every shape is a graph of the wanted size that could run in the order it is given."""
    graph = shapes.dependencies(shape, 350)
    seen: set[str] = set()
    for name, before in graph.items():
        assert set(before) <= seen
        seen.add(name)
    assert len(seen) == 350


def run_by_hand(graph: dict[str, tuple[str, ...]], calls: list[str]) -> dict[str, int]:
    made = shapes.handlers(graph, calls)
    results: dict[str, int] = {}
    for name, before in graph.items():
        results[name] = made[name]({other: results[other] for other in before})
    return results


def test_check_accepts_a_right_run_and_refuses_a_wrong_one() -> None:
    """A handler left out, called twice, or given another value is noticed."""
    graph = shapes.dependencies("layers", 250)
    calls: list[str] = []
    results = run_by_hand(graph, calls)
    shapes.check(graph, calls, results)
    with pytest.raises(AssertionError, match="once each"):
        shapes.check(graph, calls[:-1], results)
    with pytest.raises(AssertionError, match="once each"):
        shapes.check(graph, [*calls[:-1], calls[0]], results)
    with pytest.raises(AssertionError, match="p249 gave"):
        shapes.check(graph, calls, {**results, "p249": results["p249"] + 1})
