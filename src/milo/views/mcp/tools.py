"""The tools: what agents may do where the server was told to let them, with a schema for each and errors in words."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError

from milo.errors import MiloError
from milo.log import log
from milo.text import safe_text
from milo.views.mcp.acting import Acting
from milo.views.mcp.launcher import Order
from milo.views.mcp.look import Look
from milo.views.mcp.tool_models import (
    CancelArguments,
    ExplainArguments,
    Explanation,
    Outcome,
    ResumeArguments,
    RunArguments,
)
from milo.views.mcp.updates import Updates

__all__ = ["TOOLS_INSTRUCTIONS", "Tools"]

TOOLS_INSTRUCTIONS: Final = (
    "run_pipeline starts the pipeline, resume_run goes on with a run that was not finished without repeating what is "
    "done, cancel_run ends the run that works, explain tells what would run and why."
)

_MAX_PROBLEMS: Final = 10
_MAX_STEP: Final = 100

Context = ServerRequestContext[Updates, Any]


class _Tool(NamedTuple):
    declared: types.Tool
    takes: type[BaseModel]
    call: Callable[[Context, Any], Awaitable[BaseModel]]


class Tools:
    """Answers `tools/list` and `tools/call`.

    Args:
        acting: Does it.
    """

    def __init__(self, acting: Acting) -> None:
        self._acting = acting
        self._tools: dict[str, _Tool] = {}
        self._add(
            "run_pipeline",
            "Run the pipeline, or some of its phases and what they need, from the code as it stands now. Refused while "
            "a run of it works. Cancelling the request cancels the run.",
            (RunArguments, Outcome, self._run_pipeline),
        )
        self._add(
            "resume_run",
            "Go on with a run that failed, was cancelled or interrupted: what is done and unchanged is not run again.",
            (ResumeArguments, Outcome, self._resume_run),
        )
        self._add(
            "cancel_run",
            "Cancel the run that this server has started, with all that it has started, and wait for its end.",
            (CancelArguments, Outcome, self._cancel_run),
            idempotent=True,
        )
        self._add(
            "explain",
            "Tell for each phase whether going on would run it, and why. No phase is run, but the pipeline's file is "
            "loaded.",
            (ExplainArguments, Explanation, self._explain),
            destructive=False,
            idempotent=True,
        )

    def _add(
        self,
        name: str,
        description: str,
        does: tuple[type[BaseModel], type[BaseModel], Callable[[Context, Any], Awaitable[BaseModel]]],
        *,
        destructive: bool = True,
        idempotent: bool = False,
    ) -> None:
        takes, gives, call = does
        declared = types.Tool(
            name=name,
            title=name.replace("_", " ").capitalize(),
            description=description,
            input_schema=takes.model_json_schema(),
            output_schema=gives.model_json_schema(),
            annotations=types.ToolAnnotations(
                read_only_hint=False,  # each of them runs code of the project
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=True,
            ),
        )
        self._tools[name] = _Tool(declared, takes, call)

    async def list(self, ctx: Context, params: object) -> types.ListToolsResult:
        """The tools that there are."""
        return types.ListToolsResult(tools=[tool.declared for tool in self._tools.values()])

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Do what was asked for; what milo refuses is told in a result, where the agent's model sees it.

        Raises:
            MCPError: There is no such tool.
        """
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(
                types.INVALID_PARAMS,
                f"There is no tool {safe_text(params.name)!r}. There are {', '.join(self._tools)}.",
            )
        try:
            given = tool.takes.model_validate(params.arguments or {})
        except ValidationError as error:
            return _refused(_told(params.name, error, params.arguments or {}))
        try:
            result = await tool.call(ctx, given)
        except MiloError as error:
            return _refused(str(error))
        except Exception as error:  # noqa: BLE001 - the SDK would blame the arguments, or pass the bare text on
            log.exception("a tool has failed")
            return _refused(f"It cannot be done: {type(error).__name__}: {error}")
        text = types.TextContent(text=result.model_dump_json(ensure_ascii=True))
        return types.CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))

    async def _run_pipeline(self, ctx: Context, given: RunArguments) -> Outcome:
        order = Order(tuple(given.phases), _several(given.parameters), given.keep_going)
        look = await self._acting.run(
            order, wait=given.wait, report=_Progress(ctx), start=ctx.lifespan_context.start
        )
        return Outcome.of(look)

    async def _resume_run(self, ctx: Context, given: ResumeArguments) -> Outcome:
        order = Order(keep_going=given.keep_going, run=given.run)
        look = await self._acting.resume(
            order, wait=given.wait, report=_Progress(ctx), start=ctx.lifespan_context.start
        )
        return Outcome.of(look)

    async def _cancel_run(self, ctx: Context, given: CancelArguments) -> Outcome:
        return Outcome.of(await self._acting.cancel(given.run))

    async def _explain(self, ctx: Context, given: ExplainArguments) -> Explanation:
        order = Order(tuple(given.phases), _several(given.parameters), run=given.run)
        return Explanation.model_validate(await self._acting.explain(order))


class _Progress:
    """Reports how far a run is to whoever waits for it; the protocol wants each report to be further than the last."""

    def __init__(self, ctx: Context) -> None:
        self._session = ctx.session
        self._told = -1.0

    async def __call__(self, look: Look) -> None:
        state = look.state
        if state.progress > self._told:
            self._told = state.progress
            await self._session.report_progress(state.progress, 1.0, _in_words(look))


def _in_words(look: Look) -> str:
    leaves = look.state.leaves
    done = sum(leaf[0] in ("completed", "skipped") for leaf in leaves)
    now = f", {look.state.current_phase}" if look.state.current_phase else ""
    return f"{look.status}: {done} of {len(leaves)} phases{now}"


def _several(parameters: dict[str, Any]) -> dict[str, list[str]]:
    given = {name: value if isinstance(value, list) else [value] for name, value in parameters.items()}
    return {name: [_as_text(value) for value in values] for name, values in given.items()}


def _as_text(value: str | bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _told(name: str, error: ValidationError, given: dict[str, Any]) -> str:
    problems = dict.fromkeys(
        f"{_place(each['loc'], given)}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )
    told = "; ".join(itertools.islice(problems, _MAX_PROBLEMS))
    more = f"; and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
    return f"{name} cannot take these arguments. {told}{more}."


def _place(steps: Iterable[int | str], given: Any) -> str:
    """Where in the arguments something is wrong: of the validator's steps those that lead on in what was given."""
    taken = []
    for step in steps:
        try:
            given = given[step]
        except (LookupError, TypeError):
            # An argument that is missing has no place, and what stands for one of several types is none.
            continue
        taken.append(str(step)[:_MAX_STEP])
    return ".".join(taken) or "arguments"


def _refused(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=safe_text(text))], is_error=True)
