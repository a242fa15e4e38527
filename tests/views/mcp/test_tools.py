"""Agents of both eras start, follow, cancel, resume and explain runs, and are told what they can do about a refusal."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from anyio.abc import TaskGroup
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from milo.views.mcp import Acting, JournalSource, LaunchError, Order, Tools, make_server
from milo.views.mcp.addresses import TIMELINE, logs_uri
from tests.journal.world import complete, completed, ended, failed, printed, skipped, started
from tests.views.mcp.world import (
    TARGET,
    WAIT_S,
    FakeLauncher,
    FakeRun,
    Later,
    connect,
    read,
    recorded,
    settled,
)

pytestmark = pytest.mark.anyio
LISTED = "milo://pipeline/runs lists them; run_pipeline starts one."
DONE = (started("a"), completed("a"), started("b"), completed("b"), complete())


class Agent:
    """A client of a server that acts, and what stands behind that server."""

    def __init__(self, client: Client, launcher: FakeLauncher, group: TaskGroup) -> None:
        self.client = client
        self.launcher = launcher
        self.group = group
        self.progress: list[tuple[float, float | None, str | None]] = []
        self.moved = anyio.Event()

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))
        self.moved.set()

    def begin(self, name: str, /, **given: Any) -> Later:
        """Call a tool beside the test."""
        return Later(
            self.group, lambda: self.client.call_tool(name, given, progress_callback=self.on_progress)
        )

    async def call(self, name: str, /, **given: Any) -> Any:
        """Call a tool, and give its structured result."""
        return structured(await self.client.call_tool(name, given))

    async def refused(self, name: str, /, **given: Any) -> str:
        """Call a tool, and give the words in which it refuses."""
        return words(await self.client.call_tool(name, given))


def structured(result: types.CallToolResult) -> Any:
    """What a tool has given; its text says the same, as one line of ASCII."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    assert not result.is_error, content.text
    assert content.text.isascii()
    assert "\n" not in content.text
    assert json.loads(content.text) == result.structured_content
    return result.structured_content


def words(result: types.CallToolResult) -> str:
    assert result.is_error
    assert result.structured_content is None
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


@asynccontextmanager
async def agent(path: Path, era: str) -> AsyncIterator[Agent]:
    launcher = FakeLauncher(path)
    with closing(JournalSource(path, TARGET)) as source:
        server = make_server(source=source, tools=Tools(Acting(launcher, path, TARGET)))
        async with anyio.create_task_group() as group:
            async with connect(server, era) as client:
                yield Agent(client, launcher, group)
            group.cancel_scope.cancel()


async def test_there_are_four_tools_with_schemas_and_hints(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        tools = {tool.name: tool for tool in (await at.client.list_tools()).tools}
        assert list(tools) == ["run_pipeline", "resume_run", "cancel_run", "explain"]
        for name, tool in tools.items():
            assert tool.description
            assert tool.title
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is False  # to explain loads the pipeline's file
            assert tool.annotations.open_world_hint is True
            assert tool.annotations.destructive_hint is (name != "explain")
            assert tool.annotations.idempotent_hint is (name in ("cancel_run", "explain"))
        if era == "legacy":
            assert "run_pipeline starts the pipeline" in (at.client.instructions or "")


async def test_a_run_is_started_with_progress_and_its_outcome(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        parameters = {"x": "1", "y": ["2", 3, True], "z": -0.5, "no": False, "big": 2**70}
        given = {"phases": ["a"], "parameters": parameters, "keep_going": True}
        later = at.begin("run_pipeline", **given)
        process = await at.launcher.run()
        await at.moved.wait()
        process.record(started("a"), completed("a"))
        at.moved = anyio.Event()
        await at.moved.wait()
        assert (await read(at.client, TIMELINE))["progress"] == 0.5
        process.record(started("b"), failed("b", "no\u2028\x1b[31m!"), ended())
        process.exit(1)
        outcome = structured(await later.get())
        texts = {"x": ["1"], "y": ["2", "3", "true"], "z": ["-0.5"], "no": ["false"], "big": [str(2**70)]}
        assert at.launcher.orders == [Order(("a",), texts, True)]
        assert {**outcome, "elapsed": 0, "failed": []} == {
            "run": "r1",
            "pipeline": "p",
            "status": "failed",
            "progress": 0.5,
            "elapsed": 0,
            "phases": {"completed": 1, "failed": 1},
            "failed": [],
            "resumable": True,
            "note": "",
        }
        (failure,) = outcome["failed"]
        assert (failure["phase"], failure["logs"]) == ("b", logs_uri("b"))
        assert "\x1b" not in failure["error"]
        assert (await read(at.client, failure["logs"]))["phase"] == "b"
        assert [each[:2] for each in at.progress] == [(0.0, 1.0), (0.5, 1.0)]
        assert at.progress[1][2] == "running: 1 of 2 phases, a"


async def test_progress_only_grows(path: Path, era: str) -> None:
    """What changes without bringing the run further is not reported, for the protocol wants each report to be more."""
    async with agent(path, era) as at:
        later = at.begin("run_pipeline")
        process = await at.launcher.run()
        for actions in [
            (started("a"),),
            (printed("a", "x"),),
            (failed("a"),),
            (started("a", attempt=2),),
            (completed("a"),),
            (started("b"),),
            (skipped("b"), complete()),
        ]:
            process.record(*actions)
            for _ in range(3):
                await read(at.client, TIMELINE)
        process.exit()
        assert structured(await later.get())["status"] == "completed"
        progress = [each[0] for each in at.progress]
        assert progress == sorted(set(progress))
        assert progress[-1] == 1.0


async def test_who_does_not_wait_follows_the_timeline(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        outcome = await at.call("run_pipeline", wait=False)
        assert (outcome["run"], outcome["status"], outcome["resumable"]) == ("r1", "running", False)
        assert await at.refused("run_pipeline") == (
            "The run r1 is at work. Wait for it, following the timeline, or end it with cancel_run."
        )
        process = at.launcher.started[0]
        process.record(*DONE)
        process.exit()
        while (await read(at.client, TIMELINE))["status"] != "completed":
            pass
        assert at.progress == []


async def test_a_run_is_cancelled_by_the_tool(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        running = at.begin("run_pipeline")
        process = await at.launcher.run()
        await at.moved.wait()
        stopping = at.begin("cancel_run", run="r1")
        await process.cancelled.wait()
        process.record(ended("cancelled"))
        process.exit(130)
        for each in (running, stopping):
            outcome = structured(await each.get())
            assert (outcome["status"], outcome["resumable"]) == ("cancelled", True)


async def test_a_run_is_gone_on_with(path: Path, era: str) -> None:
    recorded(path, started("a"), failed("a"), ended(), run="broken").close()
    async with agent(path, era) as at:
        at.launcher.prepare = at.launcher.resumed
        later = at.begin("resume_run", run="bro", keep_going=True, wait=False)
        (await at.launcher.run()).exit(1)
        assert structured(await later.get())["run"] == "broken"
        assert at.launcher.orders == [Order(keep_going=True, run="broken")]


EXPLAINED = {
    "pipeline": "p",
    "target": TARGET,
    "run": "r1",
    "status": "failed",
    "hindrance": "",
    "damage": "",
    "phases": [{"phase": "a\u2028", "runs": False, "reason": "kept"}],
}


async def test_what_would_run_is_explained(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        at.launcher.explanation = EXPLAINED
        assert await at.call("explain", phases=["a"], parameters={"x": "1"}, run="r1") == EXPLAINED
        assert at.launcher.orders == [Order(("a",), {"x": ["1"]}, run="r1")]


REFUSED: list[tuple[str, dict[str, Any], str | None]] = [
    # Arguments that cannot be meant.
    ("run_pipeline", {"phase": "a"}, "phase: Extra inputs are not permitted"),
    ("run_pipeline", {"phases": "a"}, "phases: Input should be a valid list"),
    ("run_pipeline", {"phases": ["a", 1]}, "phases.1: Input should be a valid string"),
    ("run_pipeline", {"phases": ["\0"]}, "phases.0: Value error, a null character cannot be passed on"),
    ("run_pipeline", {"phases": ["a"] * 10_001}, None),
    ("run_pipeline", {"phases": ["x" * 10_001]}, "phases.0: String should have at most 10000 characters"),
    ("run_pipeline", {"parameters": []}, "parameters: Input should be a valid dictionary"),
    (
        "run_pipeline",
        {"parameters": {"-j": "1"}},
        "parameters.-j: Value error, '-j' is no name of a parameter",
    ),
    ("run_pipeline", {"parameters": {"x": None}}, None),
    ("run_pipeline", {"parameters": {"x": ["1", {}]}}, None),
    ("run_pipeline", {"keep_going": "yes"}, "keep_going: Input should be a valid boolean"),
    ("run_pipeline", {"wait": 0}, "wait: Input should be a valid boolean"),
    ("resume_run", {"run": None}, "run: Input should be a valid string"),
    ("resume_run", {"phases": []}, "phases: Extra inputs are not permitted"),
    ("resume_run", {"run": "\0"}, "run: Value error, a null character cannot be passed on"),
    ("cancel_run", {"run": 1}, "run: Input should be a valid string"),
    ("cancel_run", {"name": "r"}, "name: Extra inputs are not permitted"),
    ("explain", {"phases": {}}, "phases: Input should be a valid list"),
    ("explain", {"run": []}, "run: Input should be a valid string"),
    ("explain", {"wait": True}, "wait: Extra inputs are not permitted"),
    ("explain", {"a\u2028b" * 100: 1}, None),
]  # fmt: skip


async def test_wrong_arguments_are_refused_by_the_place_where_they_are_wrong(
    path: Path, era: str, subtests: pytest.Subtests
) -> None:
    async with agent(path, era) as at:
        for name, given, message in REFUSED:
            with subtests.test(name=name, given=str(given)[:60]):
                said = await at.refused(name, **given)
                assert len(said) < 500
                assert said.startswith(f"{name} cannot take these arguments. ")
                assert "\u2028" not in said
                if message is not None:
                    assert said == f"{name} cannot take these arguments. {message}."
        assert at.launcher.orders == []


async def test_of_very_many_mistakes_the_first_ten_are_told(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        said = await at.refused("run_pipeline", phases=list(range(1000)))
        assert said.count("Input should be a valid string") == 10
        assert said.endswith("phases.9: Input should be a valid string; and 990 more.")


@pytest.mark.parametrize("name", ["run", "Run_pipeline", "shell", "", "x\u2028"])
async def test_another_tool_there_is_not(path: Path, era: str, name: str) -> None:
    async with agent(path, era) as at:
        with pytest.raises(MCPError) as error:
            await at.client.call_tool(name, {})
    assert error.value.error.code == types.INVALID_PARAMS
    assert error.value.error.message.endswith(". There are run_pipeline, resume_run, cancel_run, explain.")


async def test_a_second_run_is_refused_while_anybody_works(path: Path, era: str) -> None:
    theirs = recorded(path, run="theirs")
    async with agent(path, era) as at:
        for name, given in [("run_pipeline", {}), ("resume_run", {"run": "theirs"})]:
            assert await at.refused(name, **given) == (
                f"The run theirs is at work already: process {os.getpid()} has started it. "
                "Wait for it, following the timeline."
            )
        assert (await at.refused("cancel_run", run="theirs")).startswith(
            "No run that this server has started is at work."
        )
        theirs.close()
        assert (await at.call("run_pipeline", wait=False))["status"] == "running"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("resume_run", {}, f"There is nothing to resume: no run of this pipeline is unfinished. {LISTED}"),
        ("resume_run", {"run": "x"}, f"No run of this pipeline whose name begins with 'x' is recorded. {LISTED}"),
        ("resume_run", {"run": "done"}, f"2 runs of this pipeline have names that begin with 'done'. {LISTED}"),
        ("resume_run", {"run": "done1"}, f"The run done1 cannot be resumed: it has completed. {LISTED}"),
        ("cancel_run", {}, "No run that this server has started is at work. "
         "One that somebody else has started is theirs to stop, with Ctrl-C where it runs."),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused_with_the_next_step(
    path: Path, era: str, name: str, given: dict[str, Any], message: str
) -> None:
    recorded(path, *DONE, run="done1").close()
    recorded(path, *DONE, run="done2").close()
    async with agent(path, era) as at:
        assert await at.refused(name, **given) == message
        assert at.launcher.orders == []


async def test_what_does_not_come_to_a_run_is_told_as_safe_text(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        at.launcher.prepare = lambda order: FakeRun(None, "There is no phase 'x'.\x1b]0;t\x07\u2028\ud800")
        later = at.begin("run_pipeline", phases=["x"])
        (await at.launcher.run()).exit(2)
        said = words(await later.get())
        assert said.startswith("It did not come to a run: There is no phase 'x'.")
        assert said.encode("utf-8")
        assert not {"\x1b", "\u2028"} & set(said)
        at.launcher.explanation = LaunchError("bad file.")
        assert await at.refused("explain") == "bad file."


async def test_a_fault_is_told_as_one_and_not_as_a_mistake_of_who_asked(
    path: Path, era: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(order: Order) -> FakeRun:
        raise OSError(5, "no\x1b]0;t\x07\u2028")

    async with agent(path, era) as at:
        at.launcher.prepare = broken
        said = await at.refused("run_pipeline")
        assert said.startswith("It cannot be done: OSError: [Errno 5] no")
        assert not {"\x1b", "\u2028"} & set(said)
        at.launcher.explanation = {"phases": "nonsense"}
        assert (await at.refused("explain")).startswith("It cannot be done: ValidationError: ")
        at.launcher.prepare = at.launcher.new_run
        assert (await at.call("run_pipeline", wait=False))["status"] == "running"
    faults = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == ["a tool has failed"] * 2


async def test_a_journal_that_cannot_be_read_is_told(path: Path, era: str) -> None:
    path.write_bytes(b"no database at all" * 100)
    async with agent(path, era) as at:
        for name in ("run_pipeline", "resume_run"):
            assert str(path) in await at.refused(name)


async def test_a_request_that_is_cancelled_cancels_its_run(path: Path, era: str) -> None:
    async with agent(path, era) as at:
        later = at.begin("run_pipeline")
        process = await at.launcher.run()
        await at.moved.wait()
        later.scope.cancel()
        with anyio.fail_after(WAIT_S):
            await process.cancelled.wait()
        process.exit(130)
        while "end" not in process.calls:
            await read(at.client, TIMELINE)
        assert (await read(at.client, TIMELINE))["status"] == "interrupted"
        assert (await at.call("run_pipeline", wait=False))["run"] == "r2"


@pytest.mark.parametrize("wait", [True, False])
async def test_a_client_that_vanishes_leaves_no_run_behind(path: Path, era: str, wait: bool) -> None:
    async with agent(path, era) as at:
        at.begin("run_pipeline", wait=wait)
        process = await at.launcher.run()
        await settled()
    assert process.calls.count("end") == 1
    assert "cancel" in process.calls


async def test_a_client_that_vanishes_while_its_run_is_being_started_leaves_none_behind(
    path: Path, era: str
) -> None:
    async with agent(path, era) as at:
        at.launcher.may_start = anyio.Event()
        at.begin("run_pipeline")
        await at.launcher.entered.wait()
    assert at.launcher.started == []
