"""Documents are one line of ASCII JSON with the fields that agents know, whatever stands in names, errors and lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Action, Phase, PhaseStatus, Pipeline, PipelineState
from milo.pipeline import pipeline_to_timeline
from milo.pipeline.state import PhaseLog
from milo.text import strip_sgr
from milo.views.mcp import documents
from milo.views.mcp.addresses import AddressError
from milo.views.mcp.look import Look, NoRunError
from tests.journal.world import completed, failed, pipeline_of, printed, skipped, start, started
from tests.views.mcp.world import look_at, state_of

TIMELINE_KEYS = ["pipeline", "status", "elapsed", "progress", "phases"]
PHASE_KEYS = ["name", "status", "elapsed", "attempt", "error", "log_count", "started_at"]
HOSTILE = [
    "\u2028\u2029",
    "\0\x01\x1b]0;title\x07",
    "\ud800",
    "\udfff\ud800",
    '"}]}',
    "\\",
    "\n\r\n\t",
    "</script><!--",
    '\n{"jsonrpc":"2.0","id":1,"result":{}}\n',
    "\U0010ffff\ufffe",
    "\x85\x1c",
]
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=50),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "Zl", "Zp", "Po"]), max_size=20),
)
seconds = st.floats(0, 1e6)


@st.composite
def any_state(draw: st.DrawFn) -> PipelineState:
    """A state that a program has made by hand, with text of any kind."""
    names = draw(st.lists(texts, unique=True, max_size=6))
    statuses = st.sampled_from(
        ["pending", "running", "retrying", "completed", "failed", "skipped", "cancelled"]
    )
    phases = [
        PhaseStatus(
            name,
            draw(statuses),
            draw(seconds),
            draw(seconds),
            draw(texts),
            draw(st.integers(1, 9)),
            [PhaseLog(draw(texts), draw(st.sampled_from(["stdout", "stderr"])), draw(seconds))]
            * draw(st.integers(0, 2)),
        )
        for name in names
    ]
    return PipelineState(
        draw(texts), phases, "", draw(seconds), draw(seconds), draw(st.floats(0, 1)), draw(statuses)
    )


def plain(text: str) -> Any:
    """What a document says; it is one line of ASCII, and no field of an object stands there twice."""
    assert text.isascii()
    assert text.isprintable()

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        assert len(found) == len(pairs)
        return found

    def never(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=never)


def as_json(value: Any) -> Any:
    """The value as JSON can say it, where two halves of a surrogate pair that stand together are one character."""
    return json.loads(json.dumps(value))


def expected(look: Look) -> Any:
    """The timeline of a look whose run is not interrupted: colours left out, otherwise the program's own."""
    found = pipeline_to_timeline(look.state, look.now)
    for phase in found["phases"]:
        phase["error"] = strip_sgr(phase["error"])
    return as_json(found)


@given(any_state(), st.one_of(st.none(), seconds))
def test_the_timeline_is_the_programs_own(state: PipelineState, now: float | None) -> None:
    look = look_at(state, now=now)
    found = plain(documents.Timeline().text(look))
    assert found == expected(look)
    assert list(found) == TIMELINE_KEYS
    assert all(list(phase) == PHASE_KEYS for phase in found["phases"])


NAMES = ["a", "b", 'c "x" [1', "d😀"]
steps = st.one_of(
    st.builds(started, st.sampled_from(NAMES), st.floats(1, 100)),
    st.builds(completed, st.sampled_from(NAMES), st.none(), st.floats(1, 100)),
    st.builds(failed, st.sampled_from(NAMES), texts, st.floats(1, 100)),
    st.builds(skipped, st.sampled_from(NAMES), texts),
    st.builds(printed, st.sampled_from(NAMES), texts),
    st.builds(
        lambda name, error: Action(
            "@@PHASE_RETRY", {"name": name, "attempt": 2, "error": error, "max_retries": 3, "at": 3.0}
        ),
        st.sampled_from(NAMES),
        texts,
    ),
    st.sampled_from([Action("@@PIPELINE_COMPLETE", {"at": 9.0}), start(50.0)]),
)


@given(st.lists(st.tuples(st.integers(0, 2), steps, st.booleans()), max_size=40), st.floats(0, 200))
def test_a_timeline_that_is_written_again_and_again_is_that_of_each_state(
    moves: list[tuple[int, Action, bool]], now: float
) -> None:
    """Also where the looks go to and fro between runs, one of which has the phases of another."""
    pipelines = [pipeline_of(*NAMES), pipeline_of(*NAMES, name="q"), pipeline_of(*reversed(NAMES))]
    reducers = [pipelines[0].build_reducer(), pipelines[0].build_reducer(), pipelines[2].build_reducer()]
    states = [reducer(reducer(None, Action("@@INIT")), start()) for reducer in reducers]
    writer = documents.Timeline()
    for number, action, is_timed in moves:
        states[number] = reducers[number](states[number], action)
        for state in states:
            look = look_at(state, now=now if is_timed else None)
            assert plain(writer.text(look)) == expected(look)


def test_only_what_has_changed_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(*(f"p{number}" for number in range(100)))
    reducer = pipeline.build_reducer()
    state = reducer(reducer(None, Action("@@INIT")), start())
    written: list[object] = []
    encode = documents._encode
    monkeypatch.setattr(documents, "_encode", lambda value: written.append(value) or encode(value))
    writer = documents.Timeline()
    writer.text(look_at(state))
    assert len(written) == 101
    written.clear()
    state = reducer(reducer(state, started("p3")), completed("p3"))
    writer.text(look_at(state))
    assert len(written) == 2
    state = reducer(state, started("p4"))
    for _ in range(2):
        written.clear()
        writer.text(look_at(state, now=50.0))
        assert len(written) == 2  # what is going on looks different at every look


def test_what_a_process_that_is_gone_has_left_going_is_interrupted() -> None:
    state = state_of("completed", "running", "retrying", "pending", "failed", status="running")
    writer = documents.Timeline()
    going = plain(writer.text(look_at(state)))
    assert [phase["status"] for phase in going["phases"]][1:3] == ["running", "retrying"]
    found = plain(writer.text(look_at(state, status="interrupted")))
    assert found["status"] == "interrupted"
    assert [phase["status"] for phase in found["phases"]] == [
        "completed",
        "interrupted",
        "interrupted",
        "pending",
        "failed",
    ]


def test_time_passes_for_what_is_going_on_only() -> None:
    phases = [PhaseStatus("a", "running", 2.0, 1.0), PhaseStatus("b", "completed", 2.0, 1.0)]
    look = look_at(PipelineState("p", phases, "a", 1.0, 3.0, 0.5, "running"), now=10.0)
    found = plain(documents.Timeline().text(look))
    assert (found["elapsed"], [phase["elapsed"] for phase in found["phases"]]) == (9.0, [8.0, 1.0])


@given(any_state(), texts, texts)
def test_logs_hold_text_where_there_is_text(state: PipelineState, run: str, note: str) -> None:
    for phase in state.phases:
        found = plain(documents.logs(look_at(state, run=run, note=note), phase.name))
        assert list(found) == [
            "run",
            "note",
            "phase",
            "status",
            "error",
            "earlier_lines",
            "output_file",
            "untrusted_lines",
        ]
        lines = [
            {"line": strip_sgr(log.line), "stream": log.stream, "timestamp": log.timestamp}
            for log in phase.logs
        ]
        told = (phase.name, phase.status, strip_sgr(phase.error), note, run or None, lines)
        fields = ("phase", "status", "error", "note", "run", "untrusted_lines")
        assert [found[field] for field in fields] == as_json(told)


def with_logs(number: int, **more: Any) -> Look:
    logs = [PhaseLog(f"line {at}") for at in range(number)]
    return look_at(PipelineState("p", [PhaseStatus("a", "running", logs=logs)], status="running"), **more)


def test_of_many_lines_the_last_thousand_are_shown() -> None:
    found = plain(documents.logs(with_logs(1234), "a"))
    assert len(found["untrusted_lines"]) == documents.MAX_LINES == 1000
    assert found["untrusted_lines"][0]["line"] == "line 234"
    assert found["untrusted_lines"][-1]["line"] == "line 1233"


@pytest.mark.parametrize(
    ("lines", "kept", "earlier"),
    [
        (1001, None, True),
        (1000, None, None),
        (0, None, None),
        (1001, 2000, True),
        (1000, 2000, False),
        (1000, 1000, True),
        (199, 200, False),
        (200, 200, True),
        (0, 200, False),
        (0, 0, True),
    ],
)
def test_logs_tell_whether_there_may_have_been_earlier_lines(
    lines: int, kept: int | None, earlier: bool | None
) -> None:
    """There may, where the state has kept as many as it may; nobody knows, where how many that are is not known."""
    phases = None if kept is None else pipeline_of("a", max_logs=kept).phases
    assert plain(documents.logs(with_logs(lines, phases=phases), "a"))["earlier_lines"] is earlier


def test_each_phase_keeps_as_many_lines_as_it_says() -> None:
    phases = [Phase("x", print, max_logs=7), Phase("a", print, max_logs=3)]
    state = PipelineState("p", [PhaseStatus("x"), PhaseStatus("a", logs=[PhaseLog("l")] * 3)])
    look = look_at(state, phases=phases)
    found = [plain(documents.logs(look, name))["earlier_lines"] for name in ("x", "a")]
    assert found == [False, True]
    other = look._replace(
        phases=phases[:1]
    )  # a program may publish the run of another pipeline than it declares
    assert plain(documents.logs(other, "a"))["earlier_lines"] is None


def test_an_error_is_shown_as_far_as_somebody_reads_it() -> None:
    long = "\x1b[31m" + "x" * 4000
    for error, shown in [(long, "x" * 4000), (long + "y" * 1234, "x" * 4000 + "… (1,234 characters more)")]:
        look = look_at(PipelineState("p", [PhaseStatus("a", "failed", error=error)]))
        assert plain(documents.logs(look, "a"))["error"] == shown
        assert plain(documents.Timeline().text(look))["phases"][0]["error"] == shown


def test_logs_tell_where_the_complete_output_stands_and_that_a_run_was_interrupted() -> None:
    look = with_logs(1, status="interrupted", output=lambda name: Path(f"/logs/{name}.log"))
    found = plain(documents.logs(look, "a"))
    assert (found["output_file"], found["status"]) == ("/logs/a.log", "interrupted")
    assert plain(documents.logs(with_logs(1), "a"))["output_file"] is None


def test_colours_are_left_out() -> None:
    state = PipelineState(
        "p", [PhaseStatus("a", "failed", error="\x1b[31mno", logs=[PhaseLog("\x1b[1mx\x1b[0m")])]
    )
    found = plain(documents.logs(look_at(state), "a"))
    assert (found["error"], found["untrusted_lines"][0]["line"]) == ("no", "x")
    assert plain(documents.Timeline().text(look_at(state)))["phases"][0]["error"] == "no"


@pytest.mark.parametrize(
    ("names", "asked", "hint"),
    [
        (["build", "test"], "biuld", "Did you mean 'build'?"),
        (["build", "test"], "zzz", "It has 'build', 'test'."),
        ([f"p{number:02}" for number in range(15)], "zzz", "It has 'p00', 'p01', 'p02', 'p03', 'p04', 'p05', "
         "'p06', 'p07', 'p08', 'p09' and 5 more."),
        (["x"], "X\u2028\ud800", "It has 'x'."),
        (["a\u2028b"], "a\u2028", "Did you mean 'a\\u2028b'?"),
        ([], "a", "It has none."),
    ],
)  # fmt: skip
def test_an_unknown_phase_is_refused_with_those_that_there_are(
    names: Sequence[str], asked: str, hint: str
) -> None:
    look = look_at(PipelineState("p", map(PhaseStatus, names)))
    with pytest.raises(AddressError) as error:
        documents.logs(look, asked)
    assert str(error.value) == f"The run has no phase {asked!r}. {hint}"


def test_among_very_many_phases_none_is_searched_for_that_is_alike() -> None:
    look = look_at(PipelineState("p", (PhaseStatus(f"p{number}") for number in range(1001))))
    with pytest.raises(AddressError, match=r"It has 'p0', .* and 991 more\."):
        documents.logs(look, "p1x")


def test_the_graph_tells_what_was_declared() -> None:
    pipeline = Pipeline(
        "p",
        Phase('a"}', print, description='"]}', weight=2),
        Phase("b", print, depends_on=('a"}',), parallel=True),
    )
    look = look_at(state_of("pending"), phases=pipeline.phases, note="odd")
    assert plain(documents.graph(look)) == {
        "pipeline": "p",
        "run": "r1",
        "note": "odd",
        "phases": [
            {"name": 'a"}', "description": '"]}', "depends_on": [], "parallel": False, "weight": 2},
            {"name": "b", "description": "", "depends_on": ['a"}'], "parallel": True, "weight": 1},
        ],
    }


def test_a_graph_that_is_not_known_is_refused_with_the_next_step() -> None:
    with pytest.raises(NoRunError, match=r"not known\. Hand the pipeline to the server: make_server"):
        documents.graph(look_at(state_of("pending")))


@given(st.lists(st.dictionaries(st.text(), texts)))
def test_runs_are_listed_as_they_are_told(found: list[dict[str, Any]]) -> None:
    assert plain(documents.runs(found)) == {"runs": as_json(found)}
