"""What resuming would do is decided by what is recorded and what is declared, and it is said why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from milo import Action, Phase, Pipeline
from milo.journal.declared import declare
from milo.journal.journal import Journal
from milo.journal.plan import Plan, plan
from milo.journal.replay import Replay
from tests.journal.world import (
    about,
    begin,
    completed,
    ended,
    failed,
    nothing,
    replayed,
    skipped,
    start,
    started,
)


def other() -> int:
    return 2


def chain(*phases: Phase | str, **more: Any) -> Pipeline:
    """a ← b ← c ← d, where a given phase may stand for one of them."""
    made: list[Phase] = []
    for each in phases:
        if isinstance(each, str):
            each = Phase(each, nothing, depends_on=(made[-1].name,) if made else (), **more)
        made.append(each)
    return Pipeline("p", *made)


ABCD = chain("a", "b", "c", "d")


def recorded(tmp_path: Path, pipeline: Pipeline, actions: Iterable[Action]) -> Replay:
    path = tmp_path / "runs.db"
    recorder = begin(path, pipeline)
    recorder.record([start(), *actions])
    recorder.close()
    return replayed(path)[0]


def reasons(planned: Plan) -> dict[str, str]:
    return {each.phase: each.reason for each in planned.decisions if each.runs}


def test_states(tmp_path: Path) -> None:
    """What is done is kept; failed, running, waiting, cancelled and pending phases run, each with its reason."""
    pipeline = Pipeline("p", *[Phase(name, nothing, parallel=True) for name in "abcdefg"])
    run = recorded(
        tmp_path,
        pipeline,
        [
            completed("a", 1),
            skipped("b"),
            failed("c"),
            started("d"),
            Action("@@PHASE_RETRY", {"name": "e", "attempt": 1, "error": "x", "at": 2.0}),
            Action("@@PHASE_CANCELLED", {"name": "f", "at": 2.0}),
        ],
    )
    planned = plan(run, declare(pipeline), {})
    assert planned.kept == ["a", "b"]
    assert planned.again == []
    assert [(each.phase, each.reason) for each in planned.decisions] == [
        ("a", "it is done"),
        ("b", "it was skipped"),
        ("c", "it failed"),
        ("d", "it was running"),
        ("e", "it was waiting for a retry"),
        ("f", "it was cancelled"),
        ("g", "it was not started"),
    ]
    assert planned.decisions[2].as_dict() == {"phase": "c", "runs": True, "reason": "it failed"}


DONE = [completed("a"), completed("b"), completed("c"), failed("d"), ended()]


def test_changed_phase(tmp_path: Path) -> None:
    """A changed phase and all that depend on it run again, and what does not is kept."""
    run = recorded(tmp_path, ABCD, DONE)
    planned = plan(run, declare(chain("a", Phase("b", other, depends_on=("a",)), "c", "d")), {})
    assert planned.kept == ["a"]
    assert planned.again == ["b", "c"]
    assert reasons(planned) == {
        "b": "its handler changed",
        "c": "it depends on b, which changed",
        "d": "it failed",
    }


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [
        (
            chain("a", "b", Phase("c", nothing, depends_on=("b",), version="2"), "d"),
            {"c": "its version changed from '' to '2'"},
        ),
        (chain("a", "b", Phase("c", nothing), "d"), {"c": "its dependencies changed"}),
        (chain("a", "b", Phase("c", nothing, depends_on=("b", "a")), "d"), {"c": "its dependencies changed"}),
        (chain("a", "b", "c", "d", "e"), {"e": "it is new"}),
        (chain("new", "a", "b", "c", "d"), {
            "new": "it is new",
            "a": "its dependencies changed",
            "b": "it depends on a, which changed",
            "c": "it depends on a, which changed",
        }),
        (chain("a", "b", "c"), {}),
        (Pipeline("p", *reversed(ABCD.phases)), {}),
    ],
)  # fmt: skip
def test_changed_graph(tmp_path: Path, pipeline: Pipeline, wanted: dict[str, str]) -> None:
    """New, removed and moved phases, and changed dependencies, are told apart."""
    found = reasons(plan(recorded(tmp_path, ABCD, DONE), declare(pipeline), {}))
    found.pop("d", None)
    assert found == wanted


def test_result_that_is_lost(tmp_path: Path) -> None:
    """A phase whose result cannot be restored runs again; what was done with it is kept."""
    run = recorded(tmp_path, ABCD, [completed("a", 3j), completed("b"), completed("c"), failed("d")])
    planned = plan(run, declare(ABCD), {"b": "It is gone."})
    assert planned.kept == ["c"]
    assert planned.again == ["a", "b"]
    assert "complex" in reasons(planned)["a"]
    assert reasons(planned)["b"] == "its result is not kept: It is gone."


def test_result_that_nobody_wanted_kept(tmp_path: Path) -> None:
    """A phase with persist=False runs again."""
    pipeline = chain("a", "b", persist=False)
    planned = plan(recorded(tmp_path, pipeline, [completed("a"), failed("b")]), declare(pipeline), {})
    assert reasons(planned)["a"] == "its result is not kept"


def test_another_python(tmp_path: Path) -> None:
    """Under another Python the code cannot be compared, so it counts as unchanged."""
    run = recorded(tmp_path, ABCD, DONE)
    changed = declare(chain("a", Phase("b", other, depends_on=("a",)), "c", "d"))
    assert plan(run, changed, {}, python="cpython-399").kept == ["a", "b", "c"]


def resume(tmp_path: Path, pipeline: Pipeline, actions: Iterable[Action]) -> Replay:
    path = tmp_path / "runs.db"
    taken = Journal(path).take("r1")
    planned, _ = taken.plan(declare(pipeline))
    recorder = taken.go_on(about(pipeline, resumed=True), declare(pipeline))
    recorder.record([start(resumed=True, again=planned.again), *actions])
    recorder.close()
    return replayed(path)[0]


def test_killed_before_the_changed_phase_ran(tmp_path: Path) -> None:
    """A changed phase runs again, however many processes die before it has."""
    recorded(tmp_path, ABCD, DONE)
    changed = chain("a", Phase("b", other, depends_on=("a",)), "c", "d")
    for _ in range(3):
        run = resume(tmp_path, changed, [])
        assert set(reasons(plan(run, declare(changed), {}))) == {"b", "c", "d"}


def test_killed_between_the_changed_phase_and_the_next(tmp_path: Path) -> None:
    """What was done with the earlier result of a changed phase is outdated, even once that phase has run again."""
    recorded(tmp_path, ABCD, DONE)
    changed = chain("a", Phase("b", other, depends_on=("a",)), "c", "d")
    run = resume(tmp_path, changed, [started("b"), completed("b")])
    planned = plan(run, declare(changed), {})
    assert planned.kept == ["a", "b"]
    assert reasons(planned)["c"] == "something it depends on had run again"


def test_changed_after_it_failed(tmp_path: Path) -> None:
    """A phase that ran again and failed is compared with its last declaration: what depends on it may be outdated."""
    run = recorded(
        tmp_path, ABCD, [completed("a"), completed("b"), completed("c"), started("b"), failed("b")]
    )
    assert plan(run, declare(ABCD), {}).kept == ["a", "c"]
    changed = declare(chain("a", Phase("b", other, depends_on=("a",)), "c", "d"))
    assert plan(run, changed, {}).kept == ["a"]


def test_large_graph(tmp_path: Path) -> None:
    """A chain of 20,000 phases is planned without recursion."""
    names = [f"p{number}" for number in range(20_000)]
    run = recorded(tmp_path, chain(*names), [completed(name) for name in names[:-1]])
    changed = declare(chain(Phase("p0", other), *names[1:]))
    planned = plan(run, changed, {})
    assert planned.kept == []
    assert reasons(planned)["p19998"] == "it depends on p0, which changed"
