"""The plain view: one whole line an event."""

from milo.action import Action
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
    PIPELINE_CANCELLED,
    PIPELINE_STOPPING,
    Phase,
    Pipeline,
)
from milo.views.plain import PlainView

TWO = Pipeline("build", Phase("a", handler=lambda: None), Phase("b", handler=lambda: None))


def start(name, at=0.0, attempt=1):
    return Action(PHASE_START, {"name": name, "attempt": attempt, "at": at})


def log(name, line, stream="stdout"):
    return Action(PHASE_LOG, {"name": name, "line": line, "stream": stream, "timestamp": 0.5})


def test_a_phase_shows_its_start_its_lines_and_its_end_with_its_time(feed, out, tape):
    end = Action(PHASE_COMPLETE, {"name": "a", "result": 1, "at": 3.0})
    feed(PlainView(out), TWO, [start("a", 1.0), log("a", "hello"), log("a", "careful", "stderr"), end])
    assert tape.getvalue().splitlines() == [
        "build: 2 phases",
        "start  a",
        "a | hello",
        "a ! careful",
        "done   a (2.0 s)",
    ]


def test_a_failure_names_its_error_and_keeps_its_further_lines_apart(feed, out, tape):
    feed(PlainView(out), TWO, [start("a"), Action(PHASE_FAILED, {"name": "a", "error": "x\ny", "at": 1.0})])
    assert tape.getvalue().endswith("FAILED a (1.0 s): x\n       y\n")


def test_retry_skip_and_cancel_each_have_their_line(feed, out, tape):
    retry = {"name": "a", "attempt": 1, "error": "oops", "max_retries": 2, "delay": 2.0, "at": 1.0}
    actions = [
        start("a"),
        Action(PHASE_RETRY, retry),
        start("a", 3.0, attempt=2),
        Action(PHASE_SKIPPED, {"name": "a", "error": "gone", "at": 4.0}),
        start("b", 4.0),
        Action(PIPELINE_CANCELLED, {"at": 4.5}),
        Action(PHASE_CANCELLED, {"name": "b", "at": 5.0}),
    ]
    feed(PlainView(out), TWO, actions)
    assert tape.getvalue().splitlines()[2:] == [
        "retry  a (attempt 1 of 3 failed, next in 2.0 s): oops",
        "start  a (attempt 2)",
        "skip   a (4.0 s): gone",
        "start  b",
        "stop   the run was cancelled",
        "cancel b (1.0 s)",
    ]


def stopping(grace=5.0):
    return Action(PIPELINE_STOPPING, {"at": 4.0, "grace": grace})


def test_a_run_that_stops_tells_for_whom_and_how_long_it_waits(feed, out, tape):
    done = Action(PHASE_COMPLETE, {"name": "a", "result": 1, "at": 3.0})
    feed(PlainView(out), TWO, [start("a"), start("b"), stopping(), done, stopping(0.5)])
    told = [line for line in tape.getvalue().splitlines() if line.startswith("stop")]
    assert told == [
        "stop   waiting up to 5.0 s for a, b (Ctrl-C again ends at once)",
        "stop   waiting up to 0.50 s for b (Ctrl-C again ends at once)",
    ]


def test_a_run_that_stops_while_nothing_runs_says_that_nothing_starts(feed, out, tape):
    feed(PlainView(out), TWO, [stopping()])
    assert tape.getvalue().splitlines()[1:] == ["stop   no further phase starts"]


def test_a_run_that_stops_names_twenty_of_those_that_it_waits_for(feed, out, tape):
    names = [f"p{n}" for n in range(50)]
    many = Pipeline("many", *(Phase(name, handler=lambda: None, parallel=True) for name in names))
    feed(PlainView(out), many, [*(start(name) for name in names), stopping()])
    line = tape.getvalue().splitlines()[-1]
    assert "p19 and 30 more (" in line
    assert "p20" not in line


def test_without_colour_there_is_no_escape_even_in_a_phases_own_lines(feed, out, tape):
    feed(PlainView(out), TWO, [start("a"), log("a", "\x1b[31mred\x1b[0m")])
    assert "a | red\n" in tape.getvalue()
    assert "\x1b" not in tape.getvalue()


def test_with_colour_a_phases_colour_ends_with_its_line(feed, out, tape):
    feed(PlainView(out, color=True), TWO, [start("a"), log("a", "\x1b[31mred")])
    assert "\x1b[31mred\x1b[0m\n" in tape.getvalue()
