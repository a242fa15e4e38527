"""`milo run --ci`: chosen in a GitHub Actions job or asked for; what is written past it holds no commands either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LOUD = """
import os
from milo import Phase, Pipeline
def a():
    print("::error::printed")
    os.write(1, b"::error::written\\n")
    os.system("echo '  ::error::from a child' >&2")
    raise ValueError("wrong:\\n::error::raised")
pipeline = Pipeline("build", Phase("a", handler=a))
"""
GOOD = "from milo import Phase, Pipeline\npipeline = Pipeline('build', Phase('a', handler=lambda: print('hello')))"


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith("::")]


@pytest.mark.parametrize(
    ("arguments", "env"),
    [(["--ci", "github"], {}), ([], {"MILO_CI": "github"}), ([], {"GITHUB_ACTIONS": "true", "CI": "true"})],
)
def test_it_is_asked_for_or_chosen_in_a_job(cli: Any, arguments: list[str], env: dict[str, str]) -> None:
    cli.write(GOOD)
    done = cli.run("run", *arguments, **env)
    assert done.returncode == 0
    assert "\nhello\n::endgroup::\n" in done.stdout
    assert "build completed in" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["--ci", "none"], {}),
        ([], {"MILO_CI": "none"}),
        (["--plain"], {}),
        (["--quiet"], {}),
        (["--json"], {}),
    ],
)
def test_in_a_job_it_can_be_told_otherwise(cli: Any, arguments: list[str], env: dict[str, str]) -> None:
    cli.write(GOOD)
    done = cli.run("run", *arguments, GITHUB_ACTIONS="true", **env)
    assert done.returncode == 0
    assert "::group::" not in done.stdout


def test_two_ways_to_show_a_run_exclude_each_other(cli: Any) -> None:
    cli.write(GOOD)
    done = cli.run("run", "--ci", "github", "--json")
    assert done.returncode == 2
    assert "--ci github and --json exclude each other" in done.stderr


def test_whatever_writes_there_is_no_command_but_for_milo(cli: Any, tmp_path: Path) -> None:
    cli.write(LOUD)
    done = cli.run("run", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    assert done.returncode == 1
    told = commands(done.stdout)
    assert [line.split(" ")[0] for line in told] == ["::group::FAILED", "::endgroup::", "::error"]
    assert told[2] == "::error title=a failed::wrong:%0A::error::raised"
    assert commands(done.stderr) == []
    assert ": :error::written" in done.stderr
    assert ": :error::from a child" in done.stderr
    assert (tmp_path / "summary.md").read_text("utf-8").startswith("### build failed")
