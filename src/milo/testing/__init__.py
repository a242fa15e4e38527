"""Tools for tests: a clock that is driven by hand, runs in virtual time, and sagas stepped without a store."""

from milo.testing.clock import FakeClock
from milo.testing.executor import VirtualExecutor
from milo.testing.run import TestRun, run
from milo.testing.stepper import step

__all__ = ["FakeClock", "TestRun", "VirtualExecutor", "run", "step"]
