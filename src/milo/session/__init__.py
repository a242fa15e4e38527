"""The composition root: a pipeline, a store and views put together and run, by a program or the command line."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from milo.outbox import View
from milo.session.programs import run
from milo.session.session import RunResult, Session

if TYPE_CHECKING:
    from milo.session.asynchronous import arun

__all__ = ["RunResult", "Session", "View", "arun", "run"]


def __getattr__(name: str) -> Any:
    # asyncio takes longer to load than all of milo: programs without coroutines do not wait for it.
    if name != "arun":
        raise AttributeError(f"module 'milo.session' has no attribute {name!r}")
    value = globals()[name] = import_module("milo.session.asynchronous").arun
    return value
