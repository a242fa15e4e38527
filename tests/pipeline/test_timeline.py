"""The timeline as data, and the run that a program publishes."""

import json
import threading

from milo import Action, Phase, Pipeline, PipelineState
from milo.pipeline import (
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_START,
    PIPELINE_START,
    get_active_pipeline,
    pipeline_to_timeline,
    set_active_pipeline,
    timeline,
)
from milo.pipeline.timeline import watch_active_pipeline


def state_of(*actions: Action) -> PipelineState:
    reducer = Pipeline("p", Phase("a", lambda: None), Phase("b", lambda: None)).build_reducer()
    state = reducer(None, Action("@@INIT"))
    for action in [Action(PIPELINE_START, 10.0), *actions]:
        state = reducer(state, action)
    return state


def test_the_timeline_of_a_failed_run() -> None:
    state = state_of(
        Action(PHASE_START, {"name": "a", "attempt": 1, "at": 11.0}),
        Action(PHASE_LOG, {"name": "a", "line": "x", "stream": "stdout", "timestamp": 11.0}),
        Action(PHASE_FAILED, {"name": "a", "error": "no", "at": 14.0}),
    )
    timeline = pipeline_to_timeline(state, now=99.0)
    assert json.loads(json.dumps(timeline)) == {
        "pipeline": "p",
        "status": "failed",
        "elapsed": 4.0,
        "progress": 0.0,
        "phases": [
            {
                "name": "a",
                "status": "failed",
                "elapsed": 3.0,
                "attempt": 1,
                "error": "no",
                "log_count": 1,
                "started_at": 11.0,
            },
            {
                "name": "b",
                "status": "pending",
                "elapsed": 0.0,
                "attempt": 1,
                "error": "",
                "log_count": 0,
                "started_at": 0.0,
            },
        ],
    }


def test_with_now_what_still_runs_grows() -> None:
    state = state_of(Action(PHASE_START, {"name": "a", "attempt": 1, "at": 11.0}))
    assert pipeline_to_timeline(state)["elapsed"] == 1.0
    timeline = pipeline_to_timeline(state, now=15.0)
    assert (timeline["elapsed"], timeline["phases"][0]["elapsed"]) == (5.0, 4.0)
    assert timeline["phases"][1]["elapsed"] == 0.0


def test_with_now_a_phase_that_waits_for_its_retry_grows_too() -> None:
    state = state_of(
        Action(PHASE_START, {"name": "a", "attempt": 1, "at": 11.0}),
        Action(PHASE_RETRY, {"name": "a", "attempt": 1, "error": "no", "max_retries": 1, "at": 12.0}),
    )
    assert pipeline_to_timeline(state, now=20.0)["phases"][0]["elapsed"] == 9.0


def test_a_now_that_lies_before_the_last_action_takes_nothing_away() -> None:
    state = state_of(Action(PHASE_START, {"name": "a", "attempt": 1, "at": 11.0}))
    assert pipeline_to_timeline(state, now=5.0)["elapsed"] == 1.0


def test_the_published_run_can_be_withdrawn() -> None:
    assert get_active_pipeline() is None
    state = state_of()
    try:
        set_active_pipeline(state)
        assert get_active_pipeline() is state
    finally:
        set_active_pipeline(None)
    assert get_active_pipeline() is None


def test_whoever_watches_is_called_after_each_publication_until_that_is_ended() -> None:
    seen: list[PipelineState | None] = []
    state = state_of()
    stop = watch_active_pipeline(lambda: seen.append(get_active_pipeline()))
    try:
        set_active_pipeline(state)
        set_active_pipeline(state)
        set_active_pipeline(None)
    finally:
        stop()
        set_active_pipeline(None)
    assert seen == [state, state, None]
    stop()


def test_the_same_watcher_may_watch_twice_and_stop_once() -> None:
    called: list[int] = []

    def watcher() -> None:
        called.append(1)

    first, second = watch_active_pipeline(watcher), watch_active_pipeline(watcher)
    first()
    first()
    set_active_pipeline(None)
    second()
    set_active_pipeline(None)
    assert called == [1]


def test_a_watcher_may_come_and_go_while_others_are_called() -> None:
    """Whoever was there when it was published is called, and nobody twice."""
    called: list[str] = []

    def leaving() -> None:
        called.append("leaving")
        stop()
        stops.append(watch_active_pipeline(lambda: called.append("new")))

    stop = watch_active_pipeline(leaving)
    stops = [watch_active_pipeline(lambda: called.append("other"))]
    set_active_pipeline(None)
    assert called == ["leaving", "other"]
    set_active_pipeline(None)
    assert called == ["leaving", "other", "other", "new"]
    for each in stops:
        each()


def test_watchers_come_and_go_from_many_threads() -> None:
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait(20)
        for _ in range(200):
            watch_active_pipeline(lambda: None)()
            set_active_pipeline(None)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert timeline._watchers == ()
