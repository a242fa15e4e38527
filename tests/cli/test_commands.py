"""The small commands, help, and the entry points."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from milo.cli import main

GOOD = """
from milo import Phase, Pipeline
print("noise while loading")
def work(): pass
pipeline = Pipeline("build", Phase("beta", handler=work, depends_on=("alpha",)),
                    Phase("alpha", handler=work, description="The first"))
"""


def test_order_prints_names_that_a_script_can_read(cli: Any) -> None:
    cli.write(GOOD.replace('print("noise while loading")', ""))
    assert cli.run("order").stdout == "alpha\nbeta\n"
    assert cli.run("order", "pipeline.py", "alpha").stdout == "alpha\n"


def test_graph_draws_mermaid_unless_asked_otherwise(cli: Any) -> None:
    cli.write(GOOD)
    assert "flowchart LR" in cli.run("graph", "pipeline.py").stdout
    assert "digraph" in cli.run("graph", "pipeline.py", "--format", "dot").stdout
    assert "digraph" in cli.run("graph", MILO_FORMAT="dot").stdout


def test_init_writes_a_pipeline_that_runs_and_overwrites_nothing(cli: Any) -> None:
    first = cli.run("init")
    assert (first.returncode, first.stderr) == (0, "")
    ran = cli.run("run")
    assert (ran.returncode, "report | 3 words, loudly: ONE TWO THREE" in ran.stdout) == (0, True)
    before = (cli.folder / "pipeline.py").read_text()
    again = cli.run("init")
    assert (again.returncode, "pipeline.py is there already" in again.stderr) == (2, True)
    assert (cli.folder / "pipeline.py").read_text() == before


def test_init_makes_the_folder_it_is_given(cli: Any) -> None:
    assert cli.run("init", "new/place").returncode == 0
    assert cli.run("order", "new/place/pipeline.py").stdout.split() == [
        "discover",
        "count",
        "shout",
        "report",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(cli: Any, shell: str) -> None:
    ran = cli.run("completion", shell)
    assert (ran.returncode, "_MILO_COMPLETE" in ran.stdout) == (0, True)


def completed(cli: Any, *words: str) -> list[str]:
    ran = cli.run(
        _MILO_COMPLETE="bash_complete", COMP_WORDS=" ".join(["milo", *words]), COMP_CWORD=str(len(words))
    )
    return [line.split(",", 1)[1] for line in ran.stdout.splitlines() if line.startswith("plain,")]


def test_commands_phases_and_formats_are_completed(cli: Any) -> None:
    cli.write(GOOD)
    assert completed(cli, "or") == ["order"]
    assert completed(cli, "run", "al") == ["alpha"]
    assert completed(cli, "graph", "--format", "d") == ["dot"]


def test_completion_of_a_file_that_is_broken_says_nothing(cli: Any) -> None:
    cli.write("raise SystemExit('no')")
    ran = cli.run(_MILO_COMPLETE="bash_complete", COMP_WORDS="milo run ", COMP_CWORD="2")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("command", ["run", "order", "graph", "init", "completion"])
def test_every_command_has_help_with_an_example(cli: Any, command: str) -> None:
    ran = cli.run(command, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"milo {command}" in ran.stdout
    assert re.search(r"Examples?:", ran.stdout)


def test_version_is_printed(cli: Any) -> None:
    assert re.fullmatch(r"milo \d+\.\d+\.\d+\S*\n", cli.run("--version").stdout)


def test_help_imports_no_library_that_it_does_not_need() -> None:
    code = (
        "import sys; sys.argv = ['milo', '--help']; from milo.cli import main; main(['--help']);"
        "print(sorted(set(sys.modules) & {'rich', 'milo.session', 'milo.pipeline', 'asyncio', 'jinja2'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_main_returns_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["no-such-command"]) == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize("closed", ["stdout", "stderr", "stdin"])
def test_a_run_with_a_closed_standard_stream_still_ends_well(tmp_path: Path, closed: str) -> None:
    """As under `>&-`: nothing is opened in its place that prints would then be written to."""
    (tmp_path / "pipeline.py").write_text(
        "from milo import Phase, Pipeline\npipeline = Pipeline('p', Phase('a', lambda: print('hello')))\n"
    )
    redirection = {"stdout": ">&-", "stderr": "2>&-", "stdin": "<&-"}[closed]
    for option in ("--plain", "--json", "--quiet"):
        command = f'"{sys.executable}" -m milo run pipeline.py {option} {redirection}'
        ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, ended.stderr
        assert "error" not in ended.stderr


@pytest.mark.parametrize("words", ["run", "history", "explain x.py", "mcp"])
def test_a_working_directory_that_is_gone_is_told_in_one_line(tmp_path: Path, words: str) -> None:
    (tmp_path / "gone").mkdir()
    command = f'cd gone && rmdir ../gone && exec "{sys.executable}" -m milo {words}'
    ended = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "milo: The working directory is gone: No such file or directory. Change into one that exists.\n"
    )


def test_whatever_the_file_raises_is_one_line_and_wrong_usage(tmp_path: Path) -> None:
    """Also what is no Exception."""
    (tmp_path / "pipeline.py").write_text("raise BaseException('odd')\n")
    ended = subprocess.run(
        [sys.executable, "-m", "milo", "run"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert "pipeline.py:1: BaseException: odd" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["order"],
        ["graph"],
        ["completion", "bash"],
        ["run", "--dry-run"],
        ["run", "--json"],
        ["run", "--json", "--dry-run"],
        ["history"],
        ["history", "--json"],
        ["show"],
        ["show", "--json"],
        ["explain"],
        ["explain", "--json"],
    ],
)
def test_output_that_finds_no_room_is_told_in_one_line(cli: Any, arguments: list[str]) -> None:
    cli.write(GOOD.replace('print("noise while loading")', ""))
    if arguments[0] in ("history", "show"):
        assert cli.run("run").returncode == 0
    with open("/dev/full", "w") as full:
        process = cli.start(*arguments, stdout=full, stderr=subprocess.PIPE, text=True)
        told = process.communicate(timeout=60)[1]
    assert (process.returncode, told) == (1, "milo: The output cannot be written: No space left on device.\n")
