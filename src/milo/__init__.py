"""milo runs the phases of a pipeline in parallel and keeps what happens in one observable state.

The layers, lowest first; each imports only from those before it:

    version, log, errors, clock, value    what everything stands on
    action, text            what happens, and text made safe
    saga                    effects as values, and the runner that does what they say
    execution               where a call really runs; capture of its output
    store                   state, reducers, middleware, and sagas on them
    terminal                App: keys in, templates out, a screen in between
    pipeline                phases, their graph, the generated reducer and saga
    journal                 runs on disk: recorded, resumed, told of
    outbox, session         run() and arun()
    views                   a run shown: live rows, plain lines, JSON, the summary
    cli                     the command ``milo``
    testing                 a clock that is driven by hand, and runs in virtual time

The names below are loaded when they are first used, so that ``import milo`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from milo.version import VERSION

if TYPE_CHECKING:
    from milo.action import Action as Action
    from milo.errors import CycleError as CycleError
    from milo.errors import MiloError as MiloError
    from milo.errors import PhaseCancelled as PhaseCancelled
    from milo.errors import PipelineError as PipelineError
    from milo.errors import StateError as StateError
    from milo.execution.commands.command import CommandError as CommandError
    from milo.execution.commands.command import sh as sh
    from milo.execution.commands.command import shell as shell
    from milo.execution.current import CurrentPhase as CurrentPhase
    from milo.execution.current import current_phase as current_phase
    from milo.journal import JournalError as JournalError
    from milo.journal import register as register
    from milo.pipeline import Phase as Phase
    from milo.pipeline import PhaseLog as PhaseLog
    from milo.pipeline import PhasePolicy as PhasePolicy
    from milo.pipeline import PhaseStatus as PhaseStatus
    from milo.pipeline import Pipeline as Pipeline
    from milo.pipeline import PipelineState as PipelineState
    from milo.saga import All as All
    from milo.saga import Call as Call
    from milo.saga import Cancel as Cancel
    from milo.saga import Channel as Channel
    from milo.saga import Debounce as Debounce
    from milo.saga import Delay as Delay
    from milo.saga import Fork as Fork
    from milo.saga import Join as Join
    from milo.saga import Put as Put
    from milo.saga import Race as Race
    from milo.saga import Retry as Retry
    from milo.saga import SagaCancelled as SagaCancelled
    from milo.saga import SagaTask as SagaTask
    from milo.saga import Select as Select
    from milo.saga import Take as Take
    from milo.saga import TakeEvery as TakeEvery
    from milo.saga import TakeLatest as TakeLatest
    from milo.saga import Timeout as Timeout
    from milo.saga import TryCall as TryCall
    from milo.session import RunResult as RunResult
    from milo.session import arun as arun
    from milo.session import run as run
    from milo.store import Batch as Batch
    from milo.store import Cmd as Cmd
    from milo.store import Quit as Quit
    from milo.store import ReducerResult as ReducerResult
    from milo.store import Sequence as Sequence
    from milo.store import Store as Store
    from milo.store import TickCmd as TickCmd
    from milo.store import combine_reducers as combine_reducers
    from milo.terminal.app import App as App
    from milo.terminal.keys import Key as Key
    from milo.terminal.keys import SpecialKey as SpecialKey

_HOMES = {
    "milo.action": ("Action",),
    "milo.errors": ("CycleError", "MiloError", "PhaseCancelled", "PipelineError", "StateError"),
    "milo.execution.commands.command": ("CommandError", "sh", "shell"),
    "milo.execution.current": ("CurrentPhase", "current_phase"),
    "milo.journal": ("JournalError", "register"),
    "milo.pipeline": ("Phase", "PhaseLog", "PhasePolicy", "PhaseStatus", "Pipeline", "PipelineState"),
    "milo.saga": (
        "All",
        "Call",
        "Cancel",
        "Channel",
        "Debounce",
        "Delay",
        "Fork",
        "Join",
        "Put",
        "Race",
        "Retry",
        "SagaCancelled",
        "SagaTask",
        "Select",
        "Take",
        "TakeEvery",
        "TakeLatest",
        "Timeout",
        "TryCall",
    ),
    "milo.session": ("RunResult", "arun", "run"),
    "milo.store": (
        "Batch",
        "Cmd",
        "Quit",
        "ReducerResult",
        "Sequence",
        "Store",
        "TickCmd",
        "combine_reducers",
    ),
    "milo.terminal.app": ("App",),
    "milo.terminal.keys": ("Key", "SpecialKey"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__version__ = VERSION
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'milo' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
