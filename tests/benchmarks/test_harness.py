"""The benchmark harness works on tiny graphs; no time is asserted, a machine may be as slow as it likes."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

sys.path.insert(0, str(BENCHMARKS))
try:
    import shapes
finally:
    sys.path.remove(str(BENCHMARKS))


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return script("compare.py", *arguments)


def test_every_side_that_needs_no_installing_has_its_row_in_every_shape() -> None:
    """One tiny round: a number for each, and a ratio for all but the one that the others are measured by."""
    sides = ("milo_plain", "milo_dressed", "bare_inline", "bare_threads", "bare_workers")
    done = compare(
        "250", "--rounds", "1", "--workers", "2", *[word for each in sides for word in ("--side", each)]
    )
    assert done.returncode == 0, done.stderr
    for part in done.stdout.split("## ")[1:4]:
        assert part.split()[0] in shapes.SHAPES
        rows = dict(re.findall(r"^\| (\w+) \| ([\d.,]+(?: \([\d.]+\))?) \|$", part, re.MULTILINE))
        assert sorted(rows) == sorted(sides)
        assert [side for side in rows if "(" not in rows[side]] == ["bare_threads"]


def test_a_side_that_takes_too_long_is_given_up_and_not_asked_for_more() -> None:
    done = compare(
        "250", "20000", "--rounds", "1", "--side", "bare_threads", "--shape", "chain", "--limit", "0.000001"
    )
    assert done.returncode == 0, done.stderr
    assert "| bare_threads | > 1e-06 s |" in done.stdout


def test_a_side_that_cannot_be_installed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    environments = importlib.import_module("environments")
    monkeypatch.setattr(environments, "_required", lambda side: ["no-such-package-anywhere-1234567890"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(environments, "FOLDER", Path(tempfile.mkdtemp()))
    with pytest.raises(environments.MissingError, match="No matching distribution"):
        environments.python_for("dask_threaded")


def test_the_plot_has_a_line_for_every_side_and_is_valid_xml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    plot = importlib.import_module("plot").plot
    cells = {
        (side, "wide", count): {"run_us": 10.0 * place + count / 1000}
        for place, side in enumerate(("milo_plain", "bare_threads"), 1)
        for count in (1_000, 10_000, 100_000)
    }
    root = ElementTree.fromstring(plot(cells, ["wide"]))
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 6
    assert "milo plain" in "".join(root.itertext())


def test_every_log_line_is_accounted_for() -> None:
    done = script("log_lines.py", "4000")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4,000 lines from 8 phases: ")


def test_worker_processes_are_measured_beside_a_bare_pool() -> None:
    """Every part says its figures; whether the limits hold for so little work means nothing."""
    done = script("elsewhere.py", "40", "--rounds", "1", "--work-ms", "1", "--megabytes", "1")
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    for row in ("serial", "bare", "milo", *shapes.SHAPES, "a result", "what a phase is given", "bare, spawn"):
        assert re.search(rf"^\| {row} \| [\d.]+", done.stdout, re.MULTILINE), done.stdout


def test_the_schedule_is_that_of_the_longest_path_first() -> None:
    """On made graphs, in virtual time, for each number of workers."""
    done = script("dags.py", "--real", "0")
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"the worst in virtual time: ([\d.]+)", done.stdout)[1]) <= 1.05  # type: ignore[index]


def test_the_list_schedule_is_right_on_a_graph_worked_out_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers: the long chain goes first, the short tasks beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    dags = importlib.import_module("dags")
    needs = {"a": (), "b": ("a",), "x": (), "y": (), "z": ()}
    seconds = {"a": 3.0, "b": 3.0, "x": 2.0, "y": 2.0, "z": 1.0}
    assert dags.list_schedule(dags.Graph("g", needs, seconds), 2) == 6.0
    assert dags.list_schedule(dags.Graph("g", needs, seconds), 1) == 11.0


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


def test_phases_on_dask_are_measured_beside_bare_tasks() -> None:
    done = script("elsewhere_dask.py", "20", "--rounds", "1", "--shape", "layers")
    assert done.returncode in (0, 1), done.stderr
    assert re.search(r"^\| layers \| [\d.]+ \| [\d.]+ \| [\d.]+ \([\d.]+ to [\d.]+\) \|$", done.stdout, re.M)
    assert "The dearest shape costs" in done.stdout
