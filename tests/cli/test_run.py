"""`milo run` as a process of its own: exit statuses, streams, settings, and stopping."""

import json
import os
import signal
import subprocess
from typing import Any

import pytest

GOOD = """
from milo import Phase, Pipeline
def a():
    print("hello from a")
    return 3
def b(a):
    import sys
    print("b got", a, file=sys.stderr)
pipeline = Pipeline("build", Phase("a", handler=a), Phase("b", handler=b, depends_on=("a",)))
"""
BAD = """
from milo import Phase, Pipeline
def a():
    print("about to fail")
    raise ValueError("no luck \\x1b]0;title\\x07here")
def b(): pass
pipeline = Pipeline("build", Phase("a", handler=a), Phase("b", handler=b, depends_on=("a",)),
                    Phase("c", handler=b))
"""
# Waits for something that never comes, so that only a cancel ends the run.
STUCK = """
import asyncio
from milo import Phase, Pipeline
async def wait():
    print("waiting now", flush=True)
    await asyncio.Event().wait()
pipeline = Pipeline("build", Phase("stuck", handler=wait))
"""


def test_a_run_that_completes_exits_with_0_and_tells_its_story_in_lines(cli: Any) -> None:
    cli.write(GOOD)
    ran = cli.run("run")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[:3] == ["build: 2 phases", "start  a", "a | hello from a"]
    assert "b ! b got 3" in lines
    assert lines[-1].startswith("build completed in ")
    assert "\x1b" not in ran.stdout


def test_a_run_that_fails_exits_with_1_and_names_the_error_and_the_last_lines(cli: Any) -> None:
    cli.write(BAD)
    ran = cli.run("run", "pipeline.py")
    assert ran.returncode == 1
    assert "a failed after" in ran.stdout
    assert "no luck" in ran.stdout
    assert "| about to fail" in ran.stdout
    assert not any(character in ran.stdout for character in "\x1b\x07")


def test_keep_going_runs_what_does_not_depend_on_the_failure(cli: Any) -> None:
    cli.write(BAD)
    assert "done   c" not in cli.run("run").stdout
    ran = cli.run("run", "-k")
    assert (ran.returncode, "done   c" in ran.stdout) == (1, True)
    assert "done   c" in cli.run("run", MILO_KEEP_GOING="1").stdout


def test_phases_limit_the_run_to_them_and_what_they_need(cli: Any) -> None:
    cli.write(GOOD)
    assert "build: 1 phase\n" in cli.run("run", "a").stdout
    assert "build: 2 phases\n" in cli.run("run", "pipeline.py", "b").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "zzz.py"], "There is no file zzz.py."),
        (["run", "nophase"], "nophase"),
        (["run", "-j", "0"], "must be a whole number of at least 1, got '0'."),
        (["run", "--grace", "nan"], "finite"),
        (["run", "--no-such"], "No such option"),
        (["run", "-p", "x=1"], "takes no parameters"),
        (["rum"], "Did you mean 'run'?"),
        (["graph", "--format", "png"], "png"),
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(cli: Any, arguments: list[str], message: str) -> None:
    cli.write(GOOD)
    ran = cli.run(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_that_raises_exits_with_2_and_one_line_unless_debugging(cli: Any) -> None:
    cli.write("x = 1\nraise RuntimeError('broken \\x1b[2J')\n")
    ran = cli.run("run")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("milo: pipeline.py:2: RuntimeError: broken ")
    assert len(ran.stderr.splitlines()) == 1
    assert "\x1b" not in ran.stderr
    assert "Traceback" in cli.run("run", "--debug").stderr


def test_parameters_reach_the_function_that_makes_the_pipeline(cli: Any) -> None:
    cli.write(
        "from milo import Phase, Pipeline\n"
        "def pipeline(count: int, tags: list[str] = []) -> Pipeline:\n"
        "    return Pipeline('p', *(Phase(f'{n}{tags}', handler=lambda: None) for n in range(count)))\n"
    )
    assert cli.run("order", "-p", "count=2", "-p", "tags=x", "-p", "tags=y").stdout.splitlines() == [
        "0['x', 'y']",
        "1['x', 'y']",
    ]
    missing = cli.run("run")
    assert (missing.returncode, "-p count=VALUE" in missing.stderr) == (2, True)


def test_settings_come_from_the_nearest_pyproject_and_its_target_is_relative_to_it(cli: Any) -> None:
    cli.write('[tool.milo]\ntarget = "build.py"\nquiet = true\n', "pyproject.toml")
    cli.write(GOOD, "build.py")
    (cli.folder / "below").mkdir()
    cli.folder = cli.folder / "below"
    quiet = cli.run("run")
    assert (quiet.returncode, quiet.stdout) == (0, "")
    assert "build completed" in cli.run("run", "--no-quiet").stdout


def test_an_unknown_setting_exits_with_2(cli: Any) -> None:
    cli.write("[tool.milo]\njob = 3\n", "pyproject.toml")
    ran = cli.run("run")
    assert (ran.returncode, "Did you mean 'jobs'?" in ran.stderr) == (2, True)


def test_quiet_prints_failures_only(cli: Any) -> None:
    cli.write(BAD)
    ran = cli.run("run", "--quiet")
    assert ran.returncode == 1
    assert ran.stdout.startswith("a failed after")
    assert "start" not in ran.stdout.replace("not started", "")


def test_a_dry_run_prints_the_order_and_runs_nothing(cli: Any) -> None:
    cli.write(GOOD)
    ran = cli.run("run", "--dry-run")
    assert (ran.returncode, ran.stdout) == (0, "a\nb\n")
    assert json.loads(cli.run("run", "--dry-run", "--json").stdout) == {
        "pipeline": "build",
        "phases": ["a", "b"],
    }


def test_json_keeps_stdout_for_itself_whatever_writes_to_the_descriptors(cli: Any) -> None:
    cli.write(
        "import os, sys\n"
        "print('printed while loading')\n"
        "os.write(1, b'written while loading\\n')\n"
        "from milo import Phase, Pipeline\n"
        "def a():\n"
        "    print('a line')\n"
        "    os.system('echo from a child \\033]0\\;t\\007')\n"
        "    os.write(2, b'to the error descriptor\\n')\n"
        "    return object()\n"
        "pipeline = Pipeline('p', Phase('a', handler=a))\n"
    )
    ran = cli.run("run", "--json")
    assert ran.returncode == 0
    actions = [json.loads(line) for line in ran.stdout.splitlines()]
    assert actions[0]["type"] == "@@PIPELINE_START"
    assert actions[-1]["type"] == "@@PIPELINE_COMPLETE"
    assert [one["payload"]["line"] for one in actions if one["type"] == "@@PHASE_LOG"] == ["a line"]
    assert all("result" not in one["payload"] for one in actions)
    for text in ("printed while loading", "written while loading", "from a child", "to the error descriptor"):
        assert text in ran.stderr
    assert not any(character in ran.stderr for character in "\x1b\x07")


def test_json_of_a_run_that_failed_ends_with_its_end(cli: Any) -> None:
    cli.write(BAD)
    ran = cli.run("run", "--json")
    last = json.loads(ran.stdout.splitlines()[-1])
    assert (ran.returncode, last["type"], last["payload"]["status"]) == (1, "@@PIPELINE_END", "failed")


def test_logging_set_up_while_loading_goes_to_the_phase(cli: Any) -> None:
    cli.write(
        "import logging\nlogging.basicConfig(format='%(message)s')\n"
        "from milo import Phase, Pipeline\n"
        "pipeline = Pipeline('p', Phase('a', handler=lambda: logging.warning('careful')))\n"
    )
    assert "a ! careful\n" in cli.run("run").stdout


def test_a_reader_that_leaves_ends_nothing_and_shows_no_traceback(cli: Any) -> None:
    cli.write(
        "from milo import Phase, Pipeline\n"
        "def a():\n    for n in range(20000): print('line', n)\n"
        "def b(): open('done', 'w').close()\n"
        "pipeline = Pipeline('p', Phase('a', handler=a), Phase('b', handler=b, depends_on=('a',)))\n"
    )
    ran = cli.start("run", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ran.stdout.readline()
    ran.stdout.close()
    errors = ran.stderr.read()
    ran.stderr.close()
    assert (ran.wait(), errors) == (0, b"")
    assert (cli.folder / "done").exists()


def test_colour_without_a_terminal_only_where_it_is_forced(cli: Any) -> None:
    cli.write(GOOD)
    assert "\x1b[" in cli.run("run", FORCE_COLOR="1").stdout
    assert "\x1b[" in cli.run("run", "--color", NO_COLOR="1").stdout
    assert "\x1b" not in cli.run("run", "--no-color", FORCE_COLOR="1").stdout
    assert "\x1b" not in cli.run("run", FORCE_COLOR="1", MILO_NO_COLOR="1").stdout
    # Colour, but not a single sequence that moves the cursor.
    assert "\x1b[?25l" not in cli.run("run", FORCE_COLOR="1").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_run_and_exits_with_130(cli: Any, number: signal.Signals) -> None:
    cli.write(STUCK)
    ran = cli.start("run", "--grace", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in ran.stdout:
        if "waiting now" in line:
            break
    os.kill(ran.pid, number)
    out, errors = ran.communicate(timeout=30)
    assert (ran.returncode, errors) == (130, "")
    assert "cancel stuck" in out
    assert "build cancelled in" in out


def test_a_second_interrupt_ends_at_once(cli: Any) -> None:
    # Nobody reads stdout, so after the first interrupt the run waits for a view that cannot write its lines.
    cli.write(
        "import os, threading\n"
        "from milo import Phase, Pipeline\n"
        "def fill():\n"
        "    print('a line of some length\\n' * 20_000)\n"
        "    os.write(2, b'printed')\n"
        "    threading.Event().wait()\n"
        "pipeline = Pipeline('build', Phase('fill', handler=fill))\n"
    )
    ran = cli.start("run", "--grace", "600", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert os.read(ran.stderr.fileno(), 7) == b"printed"
    os.kill(ran.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        ran.wait(1.0)
    os.kill(ran.pid, signal.SIGINT)
    assert ran.wait(30) == 130


def test_debug_shows_where_a_phase_failed_masked_like_all_it_prints(cli: Any) -> None:
    cli.write(BAD.replace("no luck", "hunter2"))
    plain = cli.run("run")
    assert "Traceback" not in plain.stdout
    done = cli.run("run", "--debug", "--mask", "TOKEN", TOKEN="hunter2")
    lines = [line for line in done.stdout.splitlines() if line.startswith("a ! ")]
    assert lines[0] == "a ! Traceback (most recent call last):"
    assert "pipeline.py" in lines[1]
    assert lines[1].endswith(", line 5, in a")
    assert "a ! ValueError: ***" in done.stdout
    assert "hunter2" not in done.stdout
