"""Stopping `milo run`: a signal at any moment, a second one, limits, and nothing left behind or kept waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import pytest

from tests.execution.watching import STUBBORN, Mark, eventually, needs_proc

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

ENDING = ["SIGINT", "SIGTERM", "SIGHUP"]


@pytest.fixture
def mark() -> Iterator[Mark]:
    """For everything that a test starts; whatever is left is killed."""
    mark = Mark()
    yield mark
    for pid in mark.processes():
        os.kill(pid, signal.SIGKILL)


def started(cli: Any, *arguments: str, mark: Mark | None = None) -> subprocess.Popen[str]:
    ran: subprocess.Popen[str] = cli.start(
        "run",
        *arguments,
        env=mark.env if mark else None,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return ran


def until(stream: IO[str] | None, text: str) -> str:
    """Read lines to the first that holds `text`."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"ended without {text!r}: {lines}")


# At any moment


LOADING = "import threading; print('loading', flush=True); threading.Event().wait()\n"


@pytest.mark.parametrize("source", [LOADING, f"exec({LOADING!r})\n"], ids=["plain", "exec"])
@pytest.mark.parametrize("name", ENDING)
def test_a_signal_while_the_pipeline_is_loaded_ends_with_130_and_no_traceback(
    cli: Any, name: str, source: str
) -> None:
    """Also in the middle of what Python itself compiles from text, as dataclasses do."""
    cli.write(source)
    ran = started(cli)
    until(ran.stdout, "loading")
    ran.send_signal(getattr(signal, name))
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, out.strip(), errors.strip()) == (130, "", "")


@pytest.mark.parametrize("error", ["RuntimeError", "ImportError"])
def test_a_signal_while_loading_that_comes_out_as_another_error_ends_with_130(cli: Any, error: str) -> None:
    """As Python itself has it when a class is being made, or a library when it is being imported."""
    cli.write(
        "import threading\n"
        "print('loading', flush=True)\n"
        "try:\n    threading.Event().wait()\n"
        f"except KeyboardInterrupt as interrupt:\n    raise {error}('it broke') from interrupt\n"
    )
    ran = started(cli)
    until(ran.stdout, "loading")
    ran.send_signal(signal.SIGINT)
    out, errors = ran.communicate(timeout=30)
    # A signal that comes before the wait is no error of another kind: then an empty line ends the input.
    assert (ran.returncode, out, errors.strip()) == (130, "", "")


def test_a_signal_that_the_pipelines_file_swallows_cancels_the_run(cli: Any) -> None:
    cli.write(
        "import asyncio, threading\n"
        "from milo import Phase, Pipeline\n"
        "try:\n    print('loading', flush=True)\n    threading.Event().wait()\n"
        "except BaseException:\n    print('swallowed', flush=True)\n"
        "async def wait(): await asyncio.Event().wait()\n"
        "pipeline = Pipeline('build', Phase('stuck', handler=wait))\n"
    )
    ran = started(cli)
    until(ran.stdout, "loading")
    ran.send_signal(signal.SIGINT)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "swallowed" in out
    assert "build cancelled in" in out


@pytest.mark.parametrize("name", ENDING)
def test_a_signal_while_a_retry_waits_cancels_it(cli: Any, name: str) -> None:
    cli.write(
        "from milo import Phase, PhasePolicy, Pipeline\n"
        "def fail(): raise OSError('no')\n"
        "policy = PhasePolicy('retry', 3, 600)\n"
        "pipeline = Pipeline('build', Phase('flaky', handler=fail, policy=policy))\n"
    )
    ran = started(cli)
    until(ran.stdout, "retry  flaky")
    ran.send_signal(getattr(signal, name))
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "cancelled: flaky\n" in out


def test_a_signal_while_phases_print_and_follow_each_other_cancels_the_run(cli: Any) -> None:
    cli.write(
        "from milo import Phase, Pipeline\n"
        "def talk():\n    for n in range(5): print('line', n)\n"
        "phases = [Phase(f'p{n}', handler=talk, parallel=n % 3 > 0) for n in range(20_000)]\n"
        # The run does not wait for its view: without this it may be over when the view has come to p20.
        "phases += [Phase('last', handler=__import__('threading').Event().wait, depends_on=('p19999',))]\n"
        "pipeline = Pipeline('build', *phases)\n"
    )
    ran = started(cli)
    until(ran.stdout, "done   p20")
    ran.send_signal(signal.SIGTERM)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "build cancelled in" in out


@pytest.mark.parametrize("name", ENDING)
def test_a_signal_after_the_run_does_not_change_its_status(cli: Any, name: str) -> None:
    cli.write(
        "import atexit, sys\n"
        "from milo import Phase, Pipeline\n"
        "def leave():\n    print('leaving', flush=True)\n    sys.stdin.readline()\n"
        "atexit.register(leave)\n"
        "pipeline = Pipeline('build', Phase('a', handler=lambda: None))\n"
    )
    ran = started(cli)
    until(ran.stdout, "leaving")
    ran.send_signal(getattr(signal, name))
    _, errors = ran.communicate("\n", timeout=30)
    assert (ran.returncode, errors) == (0, "")


# What runs


STUBBORN_SHELLS = f"""
import milo
from milo import Phase, Pipeline
TREE = {STUBBORN!r}
def talk():
    milo.sh(TREE)
pipeline = Pipeline(
    "build", Phase("handler", handler=milo.shell(TREE), parallel=True), Phase("inside", handler=talk, parallel=True)
)
"""


def ready(ran: subprocess.Popen[str], mark: Mark) -> None:
    """Wait until both trees stand, grandchildren and all."""
    assert ran.stdout is not None
    wanted = {f"{name} | {word}" for name in ("handler", "inside") for word in ("ready", "grandchild")}
    while wanted:
        line = ran.stdout.readline()
        assert line, f"ended before {wanted}"
        wanted.discard(line.strip())
    assert len(mark.processes()) > 6


@needs_proc
@pytest.mark.parametrize("name", ENDING)
def test_trees_of_stubborn_shells_are_gone_when_the_command_has_ended(
    cli: Any, mark: Mark, name: str
) -> None:
    cli.write(STUBBORN_SHELLS)
    ran = started(cli, "--grace", "0.5", mark=mark)
    ready(ran, mark)
    ran.send_signal(getattr(signal, name))
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "stop   waiting up to 0.50 s for handler, inside (Ctrl-C again ends at once)\n" in out
    assert "cancelled: handler, inside\n" in out
    assert eventually(mark.gone)


@needs_proc
def test_a_second_ctrl_c_ends_stubborn_shells_at_once(cli: Any, mark: Mark) -> None:
    cli.write(STUBBORN_SHELLS)
    ran = started(cli, "--grace", "600", mark=mark)
    ready(ran, mark)
    ran.send_signal(signal.SIGINT)
    until(ran.stdout, "waiting up to 10 min 00 s for")
    ran.send_signal(signal.SIGINT)
    _, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert eventually(mark.gone)


@needs_proc
def test_sigterm_again_still_waits_for_the_grace(cli: Any, mark: Mark) -> None:
    cli.write(STUBBORN_SHELLS)
    ran = started(cli, "--grace", "1", mark=mark)
    ready(ran, mark)
    for _ in range(3):
        ran.send_signal(signal.SIGTERM)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "build cancelled in" in out
    assert eventually(mark.gone)


@needs_proc
def test_nothing_survives_a_kill_9(cli: Any, mark: Mark) -> None:
    cli.write(STUBBORN_SHELLS)
    ran = started(cli, mark=mark)
    ready(ran, mark)
    ran.kill()
    ran.wait(30)
    assert eventually(mark.gone)


@needs_proc
def test_nothing_survives_a_terminal_that_is_closed(cli: Any, mark: Mark, terminal: Any) -> None:
    cli.write(STUBBORN_SHELLS)
    shown = terminal("run", "--grace", "0.5", **mark.env)
    shown.until("inside")
    assert eventually(lambda: len(mark.processes()) > 6)
    shown.hang_up()
    assert shown.wait() == 130
    assert eventually(mark.gone)


@needs_proc
def test_a_run_that_stops_on_a_terminal_says_so_and_leaves_it_as_it_was(
    cli: Any, mark: Mark, terminal: Any
) -> None:
    cli.write(STUBBORN_SHELLS)
    shown = terminal("run", "--grace", "0.5", **mark.env)
    before = shown.settings()
    shown.until("inside")
    # Before both trees are there, they do not ignore signals either; one has six processes or seven.
    assert eventually(lambda: len(mark.processes()) > 12)
    shown.type("\x03")
    shown.until("stopping: waiting up to")
    assert shown.wait() == 130
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")
    assert ": handler, inside\r\n" in shown.text
    assert shown.settings() == before


# Limits


LIMITED = """
import milo, asyncio, threading, time, concurrent.futures
from milo import Phase, PhasePolicy, Pipeline

def thread():
    threading.Thread(target=threading.Event().wait).start()
    threading.Event().wait()

def pool():
    executor = concurrent.futures.ThreadPoolExecutor()
    executor.submit(threading.Event().wait).result()

async def other():
    await asyncio.to_thread(threading.Event().wait)

def leaves():
    threading.Thread(target=threading.Event().wait).start()
    while not milo.current_phase().cancelled:
        time.sleep(0.001)

handler = {"thread": thread, "pool": pool, "other": other, "leaves": leaves}[NAME]
pipeline = Pipeline("build", Phase("stuck", handler=handler, LIMIT))
"""


@pytest.mark.parametrize("handler", ["thread", "pool", "other", "leaves"])
def test_threads_that_an_abandoned_handler_has_started_do_not_keep_the_process_alive(
    cli: Any, handler: str
) -> None:
    cli.write(LIMITED.replace("NAME", repr(handler)).replace("LIMIT", "timeout=0.1"))
    ran = cli.run("run")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "timed out after 0.1 s" in ran.stdout
    assert "build failed in" in ran.stdout


@pytest.mark.parametrize("handler", ["thread", "pool", "other", "leaves"])
def test_nor_do_they_after_a_cancellation(cli: Any, handler: str) -> None:
    cli.write(LIMITED.replace("NAME", repr(handler)).replace("LIMIT", ""))
    ran = started(cli, "--grace", "0.2")
    until(ran.stdout, "start  stuck")
    ran.send_signal(signal.SIGTERM)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "build cancelled in" in out


def test_a_cancelled_run_that_has_left_nothing_behind_ends_like_any_program(cli: Any) -> None:
    """What was registered for the end of the process is still called."""
    cli.write(
        "import asyncio, atexit\n"
        "from milo import Phase, Pipeline\n"
        "atexit.register(lambda: print('at exit'))\n"
        "async def wait(): await asyncio.Event().wait()\n"
        "pipeline = Pipeline('build', Phase('stuck', handler=wait))\n"
    )
    ran = started(cli)
    until(ran.stdout, "start  stuck")
    ran.send_signal(signal.SIGTERM)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert out.endswith("at exit\n")


# Secrets


SECRETIVE = """
import os, subprocess, sys
import milo
from milo import Phase, Pipeline
def a():
    print("the token is", os.environ["TOKEN"])
    os.write(2, b"raw " + os.environ["TOKEN"].encode() + b"\\n")
    milo.sh('printf "shell %s\\\\n" "$TOKEN"')
    raise ValueError("bad " + os.environ["TOKEN"])
pipeline = Pipeline("build", Phase("a", handler=a))
"""


@pytest.mark.parametrize("how", ["option", "environment", "configuration"])
@pytest.mark.parametrize("arguments", [(), ("--json",), ("--quiet",)], ids=["plain", "json", "quiet"])
def test_masked_variables_are_shown_nowhere(cli: Any, how: str, arguments: tuple[str, ...]) -> None:
    cli.write(
        SECRETIVE.replace("    os.write", "    pass; os.write" if arguments == ("--json",) else "    # ")
    )
    env = {"TOKEN": "hunter2", "OTHER": "unused"}
    if how == "option":
        arguments = (*arguments, "--mask", "TOKEN", "--mask", "OTHER")
    elif how == "environment":
        env["MILO_MASK"] = "OTHER TOKEN"
    else:
        cli.write('[tool.milo]\nmask = ["OTHER", "TOKEN"]\n', "pyproject.toml")
    ran = cli.run("run", *arguments, **env)
    assert ran.returncode == 1
    assert "hunter2" not in ran.stdout + ran.stderr
    assert "bad ***" in ran.stdout
    if "--quiet" not in arguments:
        assert "the token is ***" in ran.stdout
        assert "shell ***" in ran.stdout
    if "--json" in arguments:
        assert "raw ***" in ran.stderr


def test_options_and_configuration_mask_together(cli: Any) -> None:
    cli.write('[tool.milo]\nmask = ["OTHER"]\n', "pyproject.toml")
    cli.write(
        "from milo import Phase, Pipeline\n"
        "pipeline = Pipeline('p', Phase('a', handler=lambda: print('one two')))\n"
    )
    ran = cli.run("run", "--mask", "TOKEN", TOKEN="one", OTHER="two")
    assert "a | *** ***\n" in ran.stdout


def test_a_mask_that_is_no_name_of_a_variable_is_wrong_usage(cli: Any) -> None:
    cli.write("from milo import Phase, Pipeline\npipeline = Pipeline('p', Phase('a', handler=print))\n")
    ran = cli.run("run", "--mask", "TOKEN=hunter2")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "mask must hold names of environment variables" in ran.stderr
    assert ran.stderr.endswith("Write --mask TOKEN.\n")
    cli.write('[tool.milo]\nmask = [""]\n', "pyproject.toml")
    ran = cli.run("run")
    assert ran.returncode == 2
    assert ran.stderr.endswith('Write mask = ["TOKEN"] in [tool.milo].\n')
    cli.write('[tool.milo]\nmask = "TOKEN"\n', "pyproject.toml")
    ran = cli.run("run")
    assert ran.returncode == 2
    assert "mask must be a list of names of environment variables" in ran.stderr
