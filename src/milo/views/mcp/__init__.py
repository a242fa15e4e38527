"""The run for agents: a server of the Model Context Protocol with the timeline, the graph, the runs and the logs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from milo.views.mcp.journal_source import JournalSource
from milo.views.mcp.launcher import Launched, Launcher, LaunchError, Order
from milo.views.mcp.look import Source
from milo.views.mcp.program_source import ProgramSource
from milo.views.mcp.sdk import require_sdk

if TYPE_CHECKING:
    from milo.views.mcp.acting import Acting
    from milo.views.mcp.server import make_server
    from milo.views.mcp.tools import Tools
    from milo.views.mcp.wire import serve

__all__ = [
    "Acting",
    "JournalSource",
    "LaunchError",
    "Launched",
    "Launcher",
    "Order",
    "ProgramSource",
    "Source",
    "Tools",
    "make_server",
    "require_sdk",
    "serve",
]

_HOMES = {"Acting": "acting", "Tools": "tools", "make_server": "server", "serve": "wire"}


def __getattr__(name: str) -> Any:
    # These need the SDK, which takes a second to load and is an extra of its own.
    if name not in _HOMES:
        raise AttributeError(f"module 'milo.views.mcp' has no attribute {name!r}")
    require_sdk()
    value = globals()[name] = getattr(import_module(f"milo.views.mcp.{_HOMES[name]}"), name)
    return value
