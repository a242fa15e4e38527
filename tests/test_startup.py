"""What a program loads before its first phase runs: every module here costs each of its starts about a millisecond."""

from __future__ import annotations

import subprocess
import sys

# A new entry asks whether everybody who runs a pipeline needs it; what few need is imported where it is used.
OURS = """
milo milo.action milo.clock milo.errors milo.execution milo.execution.capture milo.execution.coroutines
milo.execution.current milo.execution.groups milo.execution.guard milo.execution.guard_process milo.execution.lines
milo.execution.threads milo.log milo.mask milo.outbox milo.pipeline milo.pipeline.actions milo.pipeline.attempt
milo.pipeline.attempting milo.pipeline.binding milo.pipeline.checks milo.pipeline.graph milo.pipeline.phase
milo.pipeline.pipeline milo.pipeline.reducer milo.pipeline.run milo.pipeline.saga milo.pipeline.schedule
milo.pipeline.state milo.pipeline.timeline milo.pipeline.vector milo.saga milo.saga.cancelling milo.saga.channel
milo.saga.checks milo.saga.effects milo.saga.groups milo.saga.handlers milo.saga.hearing milo.saga.helpers
milo.saga.ports milo.saga.runner milo.saga.task milo.session milo.session.arguments milo.session.grace
milo.session.news milo.session.programs milo.session.session milo.session.workers milo.signals milo.store
milo.store.combine milo.store.commands milo.store.results milo.store.store milo.store.turn milo.store.types milo.text
milo.value milo.version
""".split()  # noqa: SIM905 - a list of one name a line would be longer than the tests

# What the standard library has that takes long to load.
SLOW = {
    "asyncio",
    "concurrent.futures",
    "difflib",
    "email",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "pickle",
}
SLOW |= {"shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "traceback", "unittest", "urllib"}


def loaded(statements: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statements}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return set(done.stdout.split())


def test_a_program_that_runs_pipelines_loads_these_modules_and_no_others() -> None:
    modules = loaded("from milo import Pipeline, Phase, run")
    assert sorted(name for name in modules if name.partition(".")[0] == "milo") == OURS
    assert not modules & SLOW


def test_a_run_of_plain_functions_loads_nothing_more() -> None:
    more = loaded("from milo import Pipeline, Phase, run; run(Pipeline('p', Phase('a', print)))")
    assert sorted(name for name in more if name.partition(".")[0] == "milo") == OURS
    assert not more & SLOW
