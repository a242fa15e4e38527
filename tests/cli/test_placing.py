"""`milo run --executor`: where phases run, what is refused, and that it is the same run wherever they do."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from milo.cli.config import Config
from milo.cli.placing import chosen_executor, placed
from milo.execution import ThreadWorkers
from milo.execution.placement import WorkerError
from tests.cli.recorded import Recorded
from tests.execution import elsewhere
from tests.execution.watching import Mark, eventually, needs_proc
from tests.session.helpers import one

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")

WHERE = """
import os
from milo import Phase, Pipeline
MILO = os.environ.setdefault("MILO_TEST_PID", str(os.getpid()))
def where():
    print("here" if MILO == str(os.getpid()) else "elsewhere")
    os.write(2, b"written\\n")
pipeline = Pipeline("build", Phase("a", where))
"""


@pytest.fixture
def mark() -> Mark:
    return Mark()


# Which one is meant


def test_the_command_line_comes_before_the_project_and_threads_come_last() -> None:
    assert chosen_executor("threads", Config(executor="processes")) == "threads"
    assert chosen_executor(None, Config(executor="processes")) == "processes"
    assert chosen_executor(None, Config()) == "threads"


FAILING = """from milo import Phase, Pipeline
def a():
    error = ValueError("no luck")
    error.add_note("for today")
    raise error
pipeline = Pipeline("p", Phase("a", a))
"""


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_debug_shows_where_a_phase_failed_once_and_from_its_own_code_on(cli: Any, executor: str) -> None:
    """Wherever it ran."""
    if executor == "dask":
        pytest.importorskip("distributed")
    cli.write(FAILING)
    ran = cli.run("run", "--debug", "--executor", executor)
    lines = [line.removeprefix("a ! ") for line in ran.stdout.splitlines() if line.startswith("a ! ")]
    assert lines[:2] == [
        "Traceback (most recent call last):",
        f'  File "{cli.folder / "pipeline.py"}", line 5, in a',
    ]
    assert [line for line in lines if not line.startswith(" ")][1:] == ["ValueError: no luck", "for today"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "proceses",
            "--executor: there is no executor 'proceses'. Did you mean 'processes'? Executors: threads,",
        ),
        ("threads:4", "there is no executor 'threads:4'. Did you mean 'threads'?"),
        ("", "there is no executor ''. Executors: threads"),
        ("dask:nowhere", "--executor: executor must"),
    ],
)
def test_what_is_no_executor_is_refused_with_those_that_are(name: str, message: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        chosen_executor(name, Config())
    assert message in str(refused.value)


def test_the_project_is_named_where_it_is_to_blame() -> None:
    with pytest.raises(click.UsageError, match=r"\[tool.milo\] executor: there is no executor 'x'"):
        chosen_executor(None, Config(executor="x"))


def test_workers_are_made_or_it_is_said_why_not() -> None:
    assert type(placed("threads", one(elsewhere.pid), 1)) is ThreadWorkers
    with pytest.raises(WorkerError, match="executor must name an executor or be one"):
        placed("clouds", one(elsewhere.pid), 1)


def test_it_is_taken_from_option_environment_and_project(cli: Any) -> None:
    cli.write(WHERE)
    assert "a | here" in cli.run("run").stdout
    assert "a | elsewhere" in cli.run("run", "--executor", "processes").stdout
    assert "a | elsewhere" in cli.run("run", MILO_EXECUTOR="processes").stdout
    cli.write('[tool.milo]\nexecutor = "processes"\n', "pyproject.toml")
    assert "a | elsewhere" in cli.run("run").stdout
    assert "a | here" in cli.run("run", "--executor=threads").stdout


@pytest.mark.parametrize("value", ["3", "true", '["threads"]'])
def test_a_project_must_name_it(cli: Any, value: str) -> None:
    cli.write(WHERE)
    cli.write(f"[tool.milo]\nexecutor = {value}\n", "pyproject.toml")
    ran = cli.run("run")
    assert (ran.returncode, "[tool.milo] executor must be" in ran.stderr) == (2, True)


# The views


def test_every_view_shows_what_is_written_elsewhere(cli: Any) -> None:
    cli.write(WHERE)
    ran = cli.run("run", "--executor", "processes", "--json")
    logs = [
        each["payload"] for each in map(json.loads, ran.stdout.splitlines()) if each["type"] == "@@PHASE_LOG"
    ]
    assert [(log["stream"], log["line"]) for log in logs] == [("stdout", "elsewhere"), ("stderr", "written")]
    grouped = cli.run("run", "--executor", "processes", "--ci", "github").stdout
    assert "elsewhere\nwritten\n::endgroup::" in grouped
    assert cli.run("run", "--executor", "processes", "-q").stdout == ""


def test_the_detail_view_shows_phases_that_run_elsewhere(cli: Any, terminal: Any) -> None:
    cli.write(WHERE)
    shown = terminal("run", "--tui", "--executor", "processes")
    assert shown.wait() == 0
    assert "1 completed" in shown.text
    # Not past the view: it is the phase's.
    assert "elsewhere" not in shown.text.rpartition("\x1b[?1049l")[2]


def test_a_dry_run_starts_nothing(cli: Any) -> None:
    cli.write(WHERE)
    assert cli.run("run", "--executor", "processes", "--dry-run").stdout == "a\n"
    assert cli.run("run", "--executor", "nothing", "--dry-run").returncode == 2


# On Dask


def test_phases_run_on_a_cluster_of_the_runs_own(cli: Any) -> None:
    cli.write(WHERE)
    ran = cli.run("run", "--executor", "dask", "-j", "1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {"a | elsewhere", "a ! written"} <= set(ran.stdout.splitlines())


def test_a_scheduler_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another kind of error than a run that has failed, and before anything is recorded."""
    monkeypatch.setattr("milo.execution.dask.cluster._CONNECT_S", 0.5)
    with pytest.raises(WorkerError, match=r"scheduler at tcp://.* cannot be reached"):
        placed("dask:tcp://127.0.0.1:1", one(elsewhere.pid), 1)


TARGET = """
from dataclasses import dataclass
from milo import Phase, Pipeline

@dataclass
class Page:
    size: int

def make():
    return Page(SIZE)

def show(make):
    assert type(make) is Page
    print("size", make.size)

def here(make):
    assert type(make) is Page

SIZE = 7
pages = Phase("make", make)
pipeline = Pipeline(
    "build", pages, Phase("show", show, depends_on=("make",)),
    Phase("here", here, depends_on=("make",), runs_on="thread"),
)
"""


@pytest.mark.parametrize("name", ["build.py", "__init__.py"])
def test_the_file_goes_along_to_a_cluster_of_somebody_elses(cli: Any, dask_cluster: str, name: str) -> None:
    cli.write(TARGET, name)
    ran = cli.run("run", name, "--executor", dask_cluster, "--no-journal")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "show | size 7" in ran.stdout


def test_a_module_beside_the_file_does_not_go_along_and_is_named(cli: Any, dask_cluster: str) -> None:
    cli.write(MODULE)
    cli.write(HELPER, "helper.py")
    ran = cli.run("run", "pipeline.py", "--executor", dask_cluster)
    assert ran.returncode == 1
    assert "ModuleNotFoundError: No module named 'helper'" in ran.stdout
    assert "must be importable on the worker" in ran.stdout


# The user's modules

MODULE = """
import functools
from dataclasses import dataclass
from milo import Phase, Pipeline
import helper

@dataclass
class Page:
    size: int

class Maker:
    def __init__(self, size):
        self.size = size
    def make(self):
        return Page(self.size)

def make(size):
    return Page(helper.double(size))

def add(context):
    assert all(type(page) is Page for page in context.values())
    print("sum", sum(page.size for page in context.values()))

def build(size: int = 1) -> Pipeline:
    pages = Phase("a", functools.partial(make, size)), Phase("b", Maker(size).make)
    return Pipeline("build", *pages, Phase("sum", add, depends_on=("a", "b")))

def closed(size: int = 1) -> Pipeline:
    return Pipeline("build", Phase("first", helper.first), Phase("b", lambda: size))

pipeline = build()
"""
HELPER = "def double(size):\n    return 2 * size\n\ndef first():\n    print('it runs')\n"


NAMES = ["plain", "build", "site", "queue", "random", "test", "with-dash", "select"]


@pytest.mark.parametrize(
    ("name", "executor"),
    [*((name, "processes") for name in NAMES), ("queue", "dask"), ("random", "dask")],
)
def test_a_file_and_what_stands_beside_it_are_found_whatever_they_are_called(
    cli: Any, name: str, executor: str
) -> None:
    """Also where they are called like modules of the standard library."""
    folder = cli.folder / "some" / "dir"
    folder.mkdir(parents=True)
    (folder / f"{name}.py").write_text(MODULE)
    (folder / "helper.py").write_text(HELPER)
    target = f"some/dir/{name}.py:build"
    ran = cli.run("run", target, "-p", "size=5", "--executor", executor, "--no-journal")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "sum | sum 15" in ran.stdout


def test_a_module_of_a_package_is_found_by_its_name(cli: Any) -> None:
    folder = cli.folder / "pkg"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "mod.py").write_text(MODULE.replace("import helper", "from . import helper"))
    (folder / "helper.py").write_text(HELPER)
    ran = cli.run("run", "pkg.mod:build", "-p", "size=2", "--executor", "processes")
    assert "sum | sum 6" in ran.stdout


def test_a_handler_that_cannot_be_sent_is_refused_before_anything_runs_or_is_recorded(cli: Any) -> None:
    cli.write(MODULE)
    cli.write(HELPER, "helper.py")
    ran = cli.run("run", "pipeline.py:closed", "--executor", "processes")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "milo: The handler of phase 'b' cannot be sent to a process: " in ran.stderr
    assert 'or give the phase runs_on="thread".' in ran.stderr
    assert not (cli.folder / ".milo").exists()


# Faults

FAULTS = """
import os, signal
from milo import Phase, PhasePolicy, Pipeline
def killed():
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
def unsendable():
    return lambda: None
def fine():
    pass
SKIP = PhasePolicy(on_fail="skip")
pipeline = Pipeline("build", Phase("killed", killed, policy=SKIP), Phase("unsendable", unsendable, policy=SKIP),
    Phase("fine", fine, depends_on=("killed", "unsendable")))
"""


def test_what_goes_wrong_elsewhere_is_told_and_the_others_go_on(cli: Any) -> None:
    cli.write(FAULTS)
    ran = cli.run("run", "--executor", "processes")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "killed | last words" in ran.stdout
    assert (
        "The worker process of phase 'killed' was ended by SIGKILL before the phase was done." in ran.stdout
    )
    assert "The result of phase 'unsendable' cannot be sent back" in ran.stdout
    assert "done   fine" in ran.stdout


# The journal


@pytest.mark.parametrize(
    ("first", "second"), [("processes", "threads"), ("threads", "processes"), ("processes", "dask")]
)
def test_a_run_is_resumed_with_another_executor_and_keeps_what_is_done(
    recorded: Recorded, first: str, second: str
) -> None:
    recorded.fail("b", "--executor", first)
    recorded.forget()
    ran = recorded.run("--resume", "--executor", second)
    assert (ran.returncode, recorded.ran()) == (0, "bc")
    assert "resumed: 1 of 3 phases kept" in ran.stdout
    assert (recorded.folder / "result").read_text() == "[1, 2]"


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_run_elsewhere_that_is_ended_leaves_no_process_and_is_resumed(
    recorded: Recorded, mark: Mark, executor: str, how: signal.Signals
) -> None:
    process = recorded.start_and_hold("b", "--executor", executor, "-j", "1", env=mark.env)
    recorded.wait_recorded("b")
    process.send_signal(how)
    assert process.wait(timeout=30) == (130 if how == signal.SIGINT else -how)
    assert eventually(mark.gone)
    recorded.let_go("b")
    recorded.forget()
    assert recorded.run("--resume", "--executor", "processes").returncode == 0
    assert recorded.ran() == "bc"


def test_the_names_are_completed(cli: Any) -> None:
    cli.write(WHERE, str(Path("pipeline.py")))
    ran = cli.run(_MILO_COMPLETE="bash_complete", COMP_WORDS="milo run --executor p", COMP_CWORD="3")
    assert ran.stdout.splitlines() == ["plain,processes"]
