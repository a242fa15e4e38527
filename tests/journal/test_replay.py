"""Replayed through the same reducer, a run is what it was live, and what is done is known."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milo import Action, Phase, PhasePolicy, Pipeline
from milo.journal.database import open_reader
from milo.journal.declared import declare
from milo.journal.errors import CodecError, DamagedError
from milo.journal.journal import Journal
from milo.journal.replay import Replay, load_result
from milo.journal.run_rows import RunRow
from tests.journal.real import record_run
from tests.journal.world import (
    about,
    begin,
    complete,
    completed,
    ended,
    failed,
    nothing,
    pipeline_of,
    printed,
    replayed,
    skipped,
    start,
    started,
    state_of,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def chatty(lines: int, result: Any = None) -> Any:
    def handler() -> Any:
        for number in range(lines):
            print("line", number)
        return result

    return handler


def flaky(failures: int) -> Any:
    left = [failures]

    def handler() -> str:
        if left[0]:
            left[0] -= 1
            raise ValueError("not yet")
        return "done"

    return handler


def broken() -> None:
    print("going down")
    raise OSError("broken")


REAL = {
    "ok": Pipeline(
        "ok", Phase("a", chatty(500, {"x": 1})), Phase("b", nothing, depends_on=("a",)), capture_output=True
    ),
    "failing": Pipeline(
        "failing", Phase("a", broken), Phase("b", nothing, depends_on=("a",)), capture_output=True
    ),
    "retries": Pipeline(
        "retries",
        Phase("a", flaky(2), policy=PhasePolicy(on_fail="retry", max_retries=3, retry_delay=0.0)),
        Phase("b", broken, policy=PhasePolicy(on_fail="skip"), parallel=True),
        Phase("c", nothing, depends_on=("a", "b"), weight=2.5),
    ),
    "wide": Pipeline(
        "wide",
        *[Phase(f"p{n}", chatty(n, n), parallel=True, max_logs=5) for n in range(40)],
        capture_output=True,
    ),
    "empty": Pipeline("empty"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_runs(path: Path, name: str) -> None:
    """The replayed state of a real run equals the live one."""
    session, state, actions = record_run(path, REAL[name])
    recorded, rows = replayed(path)
    assert recorded.state == state
    assert recorded.verdicts == [True]
    assert not rows.damage
    assert recorded.row.name == session.run_id
    assert recorded.sittings == 1
    if name not in ("ok", "wide"):  # of these not every line stays
        assert recorded.actions == len(actions)


NAMES = st.sampled_from(["a", "b", "c"])
AT = st.floats(0, 100)
ACTION = st.one_of(
    st.builds(started, NAMES, AT, st.integers(1, 3)),
    st.builds(completed, NAMES, st.integers() | st.lists(st.integers()), AT),
    st.builds(failed, NAMES, st.text(max_size=5), AT),
    st.builds(skipped, NAMES, st.text(max_size=5), AT),
    st.builds(lambda name, at: Action("@@PHASE_CANCELLED", {"name": name, "at": at}), NAMES, AT),
    st.builds(
        printed,
        NAMES,
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.sampled_from(["stdout", "stderr"]),
    ),
    st.builds(start, AT, resumed=st.booleans()),
    st.builds(ended, st.sampled_from(["failed", "cancelled"]), AT),
    st.builds(complete, AT),
    st.builds(
        Action,
        st.sampled_from(["x", "@@PHASE_START"]),
        st.sampled_from([None, "a", {"name": "a"}, {"at": 3}]),
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ACTION, max_size=8), max_size=8))
def test_any_actions(tmp_path: Path, batches: list[list[Action]]) -> None:
    """Whatever the actions, in whatever order and batches: replayed they lead to the state that they led to live."""
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "runs.db"
    pipeline = pipeline_of("a", "b", "c", max_logs=2)
    recorder = begin(path, pipeline)
    for batch in batches:
        recorder.record(batch)
    live = state_of(pipeline, [action for batch in batches for action in batch])
    recorder.finish(live)
    recorder.close()
    recorded, rows = replayed(path)
    assert recorded.state == live
    assert recorded.verdicts == [True]
    assert not rows.damage


def completions(path: Path, *actions: Action, again: tuple[Action, ...] = ()) -> dict[str, int]:
    pipeline = pipeline_of("a", "b", "c")
    recorder = begin(path, pipeline)
    recorder.record(actions)
    recorder.close()
    if again:
        recorder = Journal(path).take("r1").go_on(about(pipeline, resumed=True), declare(pipeline))
        recorder.record(again)
        recorder.close()
    return {name: each.seq for name, each in replayed(path)[0].completions.items()}


def test_what_is_done(path: Path) -> None:
    """Completed and skipped phases are done; one that was started again is not."""
    found = completions(
        path, start(), completed("a"), skipped("b"), completed("c"), started("c"), failed("c"), ended()
    )
    assert found == {"a": 4, "b": 5}


def test_a_new_start_forgets(path: Path) -> None:
    """A run that starts afresh has nothing that is done."""
    assert completions(path, start(), completed("a"), start(), completed("b")) == {"b": 6}


def test_a_resumed_start_keeps(path: Path) -> None:
    """A resumed run keeps what is done, save for what it says is to run again."""
    found = completions(
        path,
        start(),
        completed("a"),
        completed("b"),
        failed("c"),
        ended(),
        again=(start(resumed=True, again=["b"]), started("b"), started("c")),
    )
    assert found == {"a": 4}


def test_completion_knows_how_it_was_declared(path: Path) -> None:
    """What is done keeps the fingerprint that it was done with, whatever is declared later."""
    recorder = begin(path, Pipeline("p", Phase("a", nothing, version="1"), Phase("b", nothing)))
    recorder.record([start(), completed("a"), failed("b"), ended()])
    recorder.close()
    later = Pipeline("p", Phase("b", nothing), Phase("a", nothing, version="2"), Phase("c", nothing))
    recorder = Journal(path).take("r1").go_on(about(later, resumed=True), declare(later))
    recorder.record([start(resumed=True), completed("c"), printed("a", "x")])
    recorder.finish(state_of(later, [start(resumed=True), completed("c"), printed("a", "x")], None))
    recorder.close()
    recorded, _ = replayed(path)
    assert recorded.sittings == 2
    assert recorded.completions["a"].declared.fingerprint.version == "1"
    assert [phase.name for phase in recorded.phases] == ["b", "a", "c"]
    assert {phase.name: phase.status for phase in recorded.state.phases} == {
        "b": "pending",
        "a": "completed",
        "c": "completed",
    }


ROW = RunRow(1, "r", "p", "", 0.0)


@pytest.mark.parametrize("data", [b"\x15" + bytes(16), b"\x01", b"\x02[]", b"\x10zz", b"\x11"])
def test_records_out_of_place(data: bytes) -> None:
    """Records that milo never writes so are damage."""
    with pytest.raises(DamagedError):
        Replay(ROW).feed(data, 1)


def test_facts_of_a_newer_milo() -> None:
    """A fact that this milo does not know is passed over."""
    assert Replay(ROW).feed(b"\x0fnews", 1) is None


def test_a_result_that_is_not_there(path: Path) -> None:
    """A large result that is missing or changed is not given, however sure its completion is."""
    recorder = begin(path, pipeline_of("a", "b"))
    recorder.record([start(), completed("a", "x" * 1000), completed("b", "y" * 1000)])
    recorder.close()
    with sqlite3.connect(path) as writing:
        first, second = [row[0] for row in writing.execute("SELECT place FROM results ORDER BY place")]
        writing.execute("UPDATE results SET data = x'4e' WHERE place = ?", (first,))
        writing.execute("DELETE FROM results WHERE place = ?", (second,))
    writing.close()
    recorded, _ = replayed(path)
    connection = open_reader(path)
    for name in "ab":
        with pytest.raises(CodecError, match="not what was written"):
            load_result(connection, 1, recorded.completions[name])
    connection.close()
