"""The composition root: a pipeline, a store and views put together and run, by a program or the command line."""

from milo.outbox import View
from milo.session.programs import arun, run
from milo.session.session import RunResult, Session

__all__ = ["RunResult", "Session", "View", "arun", "run"]
