"""Where a Call really runs, and how its output gets back: threads, coroutines, capture."""

from milo.execution.capture import Capture, LineSink, capture_output, current_capture, current_sink
from milo.execution.coroutines import Coroutines, CoroutineThread
from milo.execution.current import CurrentPhase, current_phase
from milo.execution.threads import ThreadWorkers, default_workers

__all__ = [
    "Capture",
    "CoroutineThread",
    "Coroutines",
    "CurrentPhase",
    "LineSink",
    "ThreadWorkers",
    "capture_output",
    "current_capture",
    "current_phase",
    "current_sink",
    "default_workers",
]
