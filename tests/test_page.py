"""The page "Pipeline Orchestration", sentence by sentence; snippets are written as they stand there."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import milo.testing
from milo import Action, Call, Fork, Phase, PhasePolicy, Pipeline, PipelineState, Put, ReducerResult, Store
from milo.pipeline import (
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_START,
    PIPELINE_COMPLETE,
    PIPELINE_START,
    PhaseStatus,
    PipelineViewState,
    make_detail_reducer,
    pipeline_to_timeline,
)


def discover() -> list[str]:
    print("2 pages")
    return ["a.md", "b.md"]


def parse(discover: list[str]) -> dict[str, str]:
    return {name: name.upper() for name in discover}


def render(parse: dict[str, str]) -> list[str]:
    return sorted(parse.values())


def copy_assets() -> int:
    return 3


def write(context: Any) -> str:
    return f"{context['render']} {context['assets']}"


def check_links() -> None:
    pass


def page_pipeline(**flags: bool) -> Pipeline:
    return Pipeline(
        "build",
        Phase("discover", handler=discover),
        Phase("parse", handler=parse, depends_on=("discover",)),
        Phase("render", handler=render, depends_on=("parse",), parallel=True),
        Phase("assets", handler=copy_assets, depends_on=("parse",), parallel=True),
        Phase("write", handler=write, depends_on=("render", "assets")),
        **flags,
    )


def run_on_store(pipeline: Pipeline) -> PipelineState:
    with Store(pipeline.build_reducer(), initial_state=None) as store:
        store.run_saga(pipeline.build_saga()()).result(timeout=30)
        state: PipelineState = store.get_state()
        return state


def failing() -> None:
    raise OSError("disk is full")


# Defining a pipeline


def test_each_phase_is_a_function_with_declared_dependencies() -> None:
    phase = page_pipeline().phases[1]
    assert (phase.name, phase.handler, phase.depends_on) == ("parse", parse, ("discover",))


def test_name_is_the_unique_phase_identifier() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        Pipeline("build", Phase("a", handler=discover), Phase("a", handler=discover))


def test_handler_is_the_callable_that_does_the_work() -> None:
    done = []
    assert run_on_store(Pipeline("p", Phase("a", handler=lambda: done.append("a")))).status == "completed"
    assert done == ["a"]


def test_depends_on_is_a_tuple_of_phase_names_that_must_complete_first() -> None:
    result = milo.testing.run(page_pipeline())
    ended = [each.payload["name"] for each in result.actions if each.type == PHASE_COMPLETE]
    assert ended.index("discover") < ended.index("parse") < ended.index("render") < ended.index("write")


def test_parallel_phases_can_run_concurrently_with_other_parallel_phases() -> None:
    both = threading.Barrier(2)
    pipeline = Pipeline(
        "p",
        Phase("render", handler=lambda: both.wait(30), parallel=True),
        Phase("assets", handler=lambda: both.wait(30), parallel=True),
    )
    assert run_on_store(pipeline).status == "completed"


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("depends_on", ()),
        ("parallel", False),
        ("weight", 1),
        ("description", ""),
        ("policy", PhasePolicy()),
        ("max_logs", 200),
    ],
)
def test_the_table_of_phase_fields_and_their_defaults(field: str, default: object) -> None:
    assert getattr(Phase("a", handler=discover), field) == default


def test_weight_is_the_progress_weight() -> None:
    pipeline = Pipeline(
        "p",
        Phase("light", handler=discover, weight=1),
        Phase("heavy", handler=failing, depends_on=("light",), weight=3),
    )
    assert run_on_store(pipeline).progress == 0.25


def test_the_default_policy_is_to_stop_on_failure() -> None:
    assert Phase("a", handler=discover).policy.on_fail == "stop"


def test_max_logs_is_the_number_of_captured_lines_kept_per_phase() -> None:
    def chatty() -> None:
        for number in range(10):
            print(number)

    pipeline = Pipeline("p", Phase("a", handler=chatty, max_logs=3), capture_output=True)
    assert [log.line for log in run_on_store(pipeline).phases[0].logs] == ["7", "8", "9"]


# Dependency resolution


def test_the_pipeline_resolves_phases_in_topological_order() -> None:
    pipeline = page_pipeline()
    assert pipeline.execution_order() == ["discover", "parse", "assets", "render", "write"]


def test_render_and_assets_execute_concurrently_via_fork() -> None:
    effects = milo.testing.step(page_pipeline().build_saga())
    assert len([effect for effect in effects if isinstance(effect, Fork)]) == 2


def test_write_waits_for_both_to_complete() -> None:
    result = milo.testing.run(page_pipeline(), durations={"render": 5, "assets": 9})
    assert result.state.phase("write").started_at == 9


# Extending pipelines


def test_use_the_rshift_operator_to_append_phases() -> None:
    pipeline = page_pipeline()
    pipeline = pipeline >> Phase(
        "health",
        handler=check_links,
        depends_on=("write",),
        description="Verify internal links",
    )
    assert [phase.name for phase in pipeline.phases][-1] == "health"
    assert pipeline.phases[-1].description == "Verify internal links"


def test_this_returns_a_new_pipeline_and_the_original_is_unchanged() -> None:
    original = page_pipeline()
    extended = original >> Phase("health", handler=check_links, depends_on=("write",))
    assert extended is not original
    assert [phase.name for phase in original.phases] == ["discover", "parse", "render", "assets", "write"]
    assert "health" not in original.execution_order()


# Store integration


def test_the_generated_reducer_works_with_the_store() -> None:
    pipeline = page_pipeline()
    reducer = pipeline.build_reducer()
    with Store(reducer, initial_state=None) as store:
        assert store.get_state().status == "pending"
        assert [phase.name for phase in store.get_state().phases] == [each.name for each in pipeline.phases]


def test_pipeline_start_sets_status_to_running() -> None:
    assert reduce_page(Action("@@PIPELINE_START")).status == "running"
    assert PIPELINE_START == "@@PIPELINE_START"


def test_phase_start_marks_a_phase_as_running() -> None:
    assert reduce_page(Action("@@PHASE_START", "parse")).phase("parse").status == "running"
    assert PHASE_START == "@@PHASE_START"


def test_phase_complete_marks_a_phase_as_completed_and_updates_progress() -> None:
    state = reduce_page(Action("@@PHASE_COMPLETE", {"name": "discover"}))
    assert (state.phase("discover").status, state.progress) == ("completed", 0.2)


def test_phase_failed_marks_a_phase_as_failed_and_sets_pipeline_status_to_failed() -> None:
    state = reduce_page(Action("@@PHASE_FAILED", {"name": "discover", "error": "no"}))
    assert (state.phase("discover").status, state.status) == ("failed", "failed")


def test_pipeline_complete_sets_status_to_completed_and_progress_to_one() -> None:
    state = reduce_page(Action("@@PIPELINE_COMPLETE"))
    assert (state.status, state.progress) == ("completed", 1.0)


def reduce_page(*actions: Action) -> PipelineState:
    reducer = page_pipeline().build_reducer()
    state = reducer(None, Action("@@INIT"))
    for action in actions:
        state = reducer(state, action)
    return state


def test_the_saga_yields_put_for_transitions_call_for_handlers_and_fork_for_parallel_phases() -> None:
    effects = milo.testing.step(page_pipeline().build_saga())
    assert {type(effect) for effect in effects} >= {Put, Call, Fork}
    puts = [effect.action for effect in effects if isinstance(effect, Put)]
    assert puts[0].type == PIPELINE_START
    assert puts[-1].type == PIPELINE_COMPLETE
    assert len([put for put in puts if put.type == PHASE_START]) == 5
    assert len([effect for effect in effects if isinstance(effect, Call)]) == 5


def test_the_saga_can_be_stepped_with_next_and_send() -> None:
    saga = Pipeline("p", Phase("discover", handler=discover)).build_saga()()
    assert next(saga).action.type == PIPELINE_START
    assert next(saga).action.payload["name"] == "discover"
    call = saga.send(None)
    assert isinstance(call, Call)
    complete = saga.send(call.fn(*call.args, **call.kwargs)).action
    assert (complete.type, complete.payload["result"]) == (PHASE_COMPLETE, ["a.md", "b.md"])
    assert saga.send(None).action.type == PIPELINE_COMPLETE
    with pytest.raises(StopIteration):
        saga.send(None)


def test_a_handler_called_by_hand_lets_its_output_pass_through(capsys: pytest.CaptureFixture[str]) -> None:
    saga = page_pipeline(capture_output=True).build_saga()()
    next(saga)
    saga.send(None)
    call = saga.send(None)
    call.fn(*call.args, **call.kwargs)
    assert capsys.readouterr().out == "2 pages\n"


def test_wire_it_into_the_store_with_a_reducer_result() -> None:
    pipeline = page_pipeline()
    inner = pipeline.build_reducer()
    ended = threading.Event()

    def reducer(state: PipelineState | None, action: Action) -> Any:
        state = inner(state, action)
        if action.type == "build please":
            return ReducerResult(state, sagas=(pipeline.build_saga(),))
        return state

    with Store(reducer, initial_state=None) as store:
        store.subscribe(lambda: ended.set() if store.get_state().status == "completed" else None)
        store.dispatch(Action("build please"))
        assert ended.wait(30)
        assert store.get_state().progress == 1.0


def test_or_run_it_through_the_saga_runner_directly() -> None:
    pipeline = page_pipeline()
    store = Store(pipeline.build_reducer(), initial_state=None)
    task = store.run_saga(pipeline.build_saga()())
    task.result(timeout=30)
    state: PipelineState = store.get_state()
    store.shutdown()
    assert state.status == "completed"
    assert [phase.status for phase in state.phases] == ["completed"] * 5


def test_the_saga_may_be_given_without_calling_it() -> None:
    pipeline = page_pipeline()
    with Store(pipeline.build_reducer(), initial_state=None) as store:
        store.run_saga(pipeline.build_saga()).result(timeout=30)
        assert store.get_state().status == "completed"


# Observable state


def test_state_gives_a_real_time_view_of_pipeline_progress() -> None:
    seen: list[tuple[str, str, float]] = []
    pipeline = page_pipeline()
    with Store(pipeline.build_reducer(), initial_state=None) as store:

        def listen() -> None:
            state: PipelineState = store.get_state()
            seen.append((state.status, state.current_phase, state.progress))

        store.subscribe(listen)
        store.run_saga(pipeline.build_saga()()).result(timeout=30)
        assert store.get_state().elapsed >= 0.0
    assert seen[0] == ("running", "", 0.0)
    assert ("running", "discover", 0.0) in seen
    assert ("running", "write", 0.8) in seen
    assert seen[-1] == ("completed", "", 1.0)


def test_progress_is_based_on_phase_weights_from_zero_to_one() -> None:
    def weighted(name: str, weight: float) -> Phase:
        return Phase(name, handler=copy_assets, weight=weight)

    reducer = Pipeline("p", weighted("a", 1), weighted("b", 3)).build_reducer()
    state = reducer(None, Action(PIPELINE_START, 0.0))
    progress = [state.progress]
    for action in [Action(PHASE_COMPLETE, {"name": "b"}), Action(PHASE_COMPLETE, {"name": "a"})]:
        state = reducer(state, action)
        progress.append(state.progress)
    assert progress[:2] == [0.0, 0.75]
    assert 0.99 < progress[2] < 1.0


def test_each_phase_status_tracks_name_status_started_at_elapsed_and_error() -> None:
    result = milo.testing.run(
        page_pipeline(), fakes={"render": ValueError("bad page")}, durations={"discover": 2, "render": 3}
    )
    phase = result.state.phases[2]
    assert isinstance(phase, PhaseStatus)
    assert (phase.name, phase.status, phase.started_at, phase.elapsed, phase.error) == (
        "render",
        "failed",
        2.0,
        3.0,
        "bad page",
    )
    assert result.state.phases[4].status == "pending"
    assert isinstance(result.state.phases, tuple)


# Failure policies


def test_the_retry_snippet() -> None:
    tries: list[None] = []

    def deploy() -> str:
        tries.append(None)
        if len(tries) < 4:
            raise OSError(f"try {len(tries)}")
        return "deployed"

    phase = Phase(
        "deploy",
        handler=deploy,
        policy=PhasePolicy(on_fail="retry", max_retries=3, retry_backoff="exponential"),
    )
    result = milo.testing.run(Pipeline("p", phase))
    assert (result.ok, result.results) == (True, {"deploy": "deployed"})
    assert result.state.phases[0].attempt == 4
    assert result.state.elapsed == 1.0 + 2.0 + 4.0


def test_the_table_of_policy_defaults() -> None:
    policy = PhasePolicy()
    assert (policy.on_fail, policy.max_retries, policy.retry_delay, policy.retry_backoff) == (
        "stop",
        0,
        1.0,
        "fixed",
    )


def test_stop_halts_the_pipeline() -> None:
    result = milo.testing.run(page_pipeline(), fakes={"parse": OSError("no")})
    assert result.started == ["discover", "parse"]
    assert result.state.status == "failed"


def test_skip_continues() -> None:
    pipeline = Pipeline(
        "p",
        Phase("a", handler=failing, policy=PhasePolicy(on_fail="skip")),
        Phase("b", handler=lambda a: a, depends_on=("a",)),
    )
    result = milo.testing.run(pipeline)
    assert [phase.status for phase in result.state.phases] == ["skipped", "completed"]
    assert (result.state.status, result.results["b"]) == ("completed", None)


def test_retry_retries_max_retries_times_with_retry_delay_seconds_between() -> None:
    policy = PhasePolicy(on_fail="retry", max_retries=2, retry_delay=7.0)
    result = milo.testing.run(Pipeline("p", Phase("a", handler=failing, policy=policy)))
    starts = [each.payload["at"] for each in result.actions if each.type == PHASE_START]
    assert starts == [0.0, 7.0, 14.0]
    assert result.state.status == "failed"


def test_exponential_is_capped_at_thirty_seconds() -> None:
    policy = PhasePolicy(on_fail="retry", max_retries=7, retry_delay=1.0, retry_backoff="exponential")
    result = milo.testing.run(Pipeline("p", Phase("a", handler=failing, policy=policy)))
    delays = [each.payload["delay"] for each in result.actions if each.type == PHASE_RETRY]
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_the_reducer_tracks_retrying_as_a_distinct_phase_status() -> None:
    state = reduce_page(
        Action(PIPELINE_START, 1.0),
        Action(PHASE_START, "discover"),
        Action(PHASE_RETRY, {"name": "discover", "attempt": 1, "error": "flaky", "max_retries": 3}),
    )
    assert state.phases[0].status == "retrying"


# Output capture


def shouting() -> None:
    import sys

    print("to the one")
    print("to the other", file=sys.stderr)


def test_capture_output_collects_stdout_and_stderr_from_each_phase_handler() -> None:
    phases = [Phase("shout", handler=shouting)]
    pipeline = Pipeline("build", *phases, capture_output=True)
    state = run_on_store(pipeline)
    phase = state.phases[0]
    shown = [f"[{log.stream}] {log.line}" for log in phase.logs]
    assert shown == ["[stdout] to the one", "[stderr] to the other"]


def test_captured_output_is_dispatched_as_phase_log_actions() -> None:
    heard: list[Action] = []

    def middleware(next_dispatch: Callable[[Action], Any], get_state: Callable[[], Any]) -> Any:
        def dispatch(action: Action) -> Any:
            heard.append(action)
            return next_dispatch(action)

        return dispatch

    pipeline = Pipeline("build", Phase("shout", handler=shouting), capture_output=True)
    with Store(pipeline.build_reducer(), initial_state=None, middleware=(middleware,)) as store:
        store.run_saga(pipeline.build_saga()()).result(timeout=30)
    logs = [action.payload for action in heard if action.type == "@@PHASE_LOG"]
    assert [set(log) for log in logs] == [{"name", "line", "stream", "timestamp"}] * 2
    assert (logs[0]["name"], logs[0]["line"], logs[0]["stream"]) == ("shout", "to the one", "stdout")
    assert PHASE_LOG == "@@PHASE_LOG"


def test_without_capture_output_nothing_is_captured(capsys: pytest.CaptureFixture[str]) -> None:
    state = run_on_store(page_pipeline())
    assert [phase.logs for phase in state.phases] == [()] * 5
    assert capsys.readouterr().out == "2 pages\n"


# Detail TUI and MCP timeline, as far as they are pure code


def test_make_detail_reducer_wraps_the_pipeline_reducer() -> None:
    pipeline = page_pipeline()
    reducer = make_detail_reducer(pipeline.build_reducer())
    with Store(reducer, initial_state=None) as store:
        store.run_saga(pipeline.build_saga()()).result(timeout=30)
        view = store.get_state()
    assert isinstance(view, PipelineViewState)
    assert view.pipeline.status == "completed"


def test_the_timeline_exposes_the_execution_as_json() -> None:
    timeline = pipeline_to_timeline(run_on_store(page_pipeline()))
    assert (timeline["pipeline"], timeline["status"], timeline["progress"]) == ("build", "completed", 1.0)
    assert [phase["name"] for phase in timeline["phases"]][:2] == ["discover", "parse"]


# The tip


def test_a_listener_on_the_store_renders_a_live_progress_display() -> None:
    pipeline = page_pipeline()
    drawn: list[str] = []
    with Store(pipeline.build_reducer(), initial_state=None) as store:

        def draw() -> None:
            state: PipelineState = store.get_state()
            bar = "#" * round(state.progress * 10)
            drawn.append(f"[{bar:<10}] {state.progress:4.0%} {state.current_phase}")

        store.subscribe(draw)
        store.run_saga(pipeline.build_saga()()).result(timeout=30)
    assert "[##        ]  20% discover" in drawn
    assert drawn[-1] == "[##########] 100% "


def test_failed_pipeline_by_hand_ends_failed() -> None:
    pipeline = Pipeline("p", Phase("a", handler=failing), Phase("b", handler=discover, depends_on=("a",)))
    state = run_on_store(pipeline)
    assert (state.status, state.phases[1].status) == ("failed", "pending")
    saga = pipeline.build_saga()()
    next(saga)
    next(saga)
    next(saga)
    assert saga.throw(OSError("no")).action.type == PHASE_FAILED
    with pytest.raises(StopIteration):
        next(saga)
