"""The journal: a run's actions on disk as they happen, read again to resume, show, verify and follow it."""

from milo.journal.database import Durability, open_reader
from milo.journal.declared import About, DeclaredPhase, declare
from milo.journal.errors import CodecError, DamagedError, EmptyError, HeldError, JournalError
from milo.journal.fingerprint import Fingerprinter
from milo.journal.follower import Follower
from milo.journal.history import RunInfo, find, history
from milo.journal.journal import Journal, Taken
from milo.journal.location import default_path
from milo.journal.output_files import output_path
from milo.journal.plan import Decision, Plan, plan
from milo.journal.recorder import Recorder
from milo.journal.registry import register
from milo.journal.replay import Completion, Replay, load_result, replay
from milo.journal.restoring import planned

__all__ = [
    "About",
    "CodecError",
    "Completion",
    "DamagedError",
    "Decision",
    "DeclaredPhase",
    "Durability",
    "EmptyError",
    "Fingerprinter",
    "Follower",
    "HeldError",
    "Journal",
    "JournalError",
    "Plan",
    "Recorder",
    "Replay",
    "RunInfo",
    "Taken",
    "declare",
    "default_path",
    "find",
    "history",
    "load_result",
    "open_reader",
    "output_path",
    "plan",
    "planned",
    "register",
    "replay",
]
