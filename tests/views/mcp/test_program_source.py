"""A program publishes its run, and a server in the same program shows it as it goes on."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
import pytest
from mcp.client._memory import InMemoryTransport
from mcp.shared.message import SessionMessage

from milo import Phase, Pipeline, PipelineState, run
from milo.pipeline import get_active_pipeline, set_active_pipeline
from milo.views.mcp import ProgramSource, make_server
from milo.views.mcp.addresses import GRAPH, TIMELINE
from milo.views.mcp.look import NoRunError
from tests.journal.world import pipeline_of
from tests.views.mcp.world import WAIT_S, Ear, connect, read, state_of


def test_what_was_published_last_is_shown() -> None:
    pipeline = pipeline_of("a", "b")
    source = ProgramSource(pipeline)
    state = state_of("running", "pending", status="running", elapsed=2.0)
    set_active_pipeline(state)
    look = source.look()
    assert (look.run, look.status, look.state, look.phases) == ("", "running", state, pipeline.phases)
    assert look.now is not None
    assert source.runs() == [{"run": "", "pipeline": "p", "status": "running", "elapsed": 2.0, "phases": 2}]
    source.close()


def test_where_nothing_is_published_the_next_step_is_told() -> None:
    with pytest.raises(NoRunError) as error:
        ProgramSource().look()
    assert str(error.value) == (
        "This program has published no run. Publish each state: milo.run(pipeline, on_state=set_active_pipeline)."
    )
    assert ProgramSource().runs() == []


def test_a_graph_is_known_only_where_the_pipeline_is() -> None:
    set_active_pipeline(state_of("running"))
    assert ProgramSource().look().phases is None


def test_it_wakes_whoever_watches_and_nobody_who_has_ended_that() -> None:
    source, woken = ProgramSource(), []
    assert source.polled is False
    stop = source.watch(lambda: woken.append(1))
    set_active_pipeline(state_of("running"))
    set_active_pipeline(None)
    stop()
    stop()
    set_active_pipeline(state_of("running"))
    assert woken == [1, 1]


def long_pipeline(number: int) -> Pipeline:
    return Pipeline(
        "long", *(Phase(f"p{at}", lambda: None, parallel=True) for at in range(number)), capture_output=False
    )


def in_background(pipeline: Pipeline, seen: list[PipelineState]) -> threading.Thread:
    def on_state(state: PipelineState) -> None:
        seen.append(state)
        set_active_pipeline(state)

    thread = threading.Thread(target=run, args=(pipeline,), kwargs={"on_state": on_state})
    thread.start()
    return thread


@pytest.mark.anyio
async def test_whoever_follows_a_run_of_thousands_of_phases_sees_its_end(era: str) -> None:
    """Progress never falls, and what is read last is the last state."""
    pipeline, ear, seen = long_pipeline(2000), Ear(era), []
    async with (
        connect(make_server(pipeline), era, message_handler=ear.handler) as client,
        ear.follow(client, TIMELINE, GRAPH),
    ):
        thread = in_background(pipeline, seen)
        known: dict[str, Any] = {"status": "", "progress": 0.0}
        while known["status"] != "completed":
            if await ear.told() == TIMELINE and get_active_pipeline() is not None:
                found = await read(client, TIMELINE)
                assert found["progress"] >= known["progress"]
                known = found
        thread.join(WAIT_S)
        assert known["progress"] == 1.0
        assert {phase["status"] for phase in known["phases"]} == {"completed"}
        assert known["elapsed"] == seen[-1].elapsed
        assert len((await read(client, GRAPH))["phases"]) == 2000


INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "deaf", "version": "1"},
}


@pytest.mark.anyio
@pytest.mark.parametrize("loop", ["free", "blocked"])
async def test_a_client_that_never_reads_does_not_hold_up_the_run(loop: str) -> None:
    """Nor does a loop that is kept from serving anybody."""
    pipeline = long_pipeline(500)
    async with InMemoryTransport(make_server(pipeline)) as (reading, writing):

        async def ask(number: int, method: str, params: dict[str, Any]) -> None:
            request = types.JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=params)
            await writing.send(SessionMessage(request))
            answer = await reading.receive()
            assert isinstance(answer, SessionMessage)
            assert isinstance(answer.message, types.JSONRPCResponse)

        await ask(1, "initialize", INITIALIZE)
        await ask(2, "resources/subscribe", {"uri": TIMELINE})
        # From here on it reads nothing any more.
        seen: list[PipelineState] = []
        thread = in_background(pipeline, seen)
        if loop == "free":
            await anyio.to_thread.run_sync(thread.join, WAIT_S)
        else:
            thread.join(WAIT_S)
        assert not thread.is_alive()
        assert seen[-1].status == "completed"
        assert get_active_pipeline() is seen[-1]
