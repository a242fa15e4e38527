"""Settings: the nearest pyproject.toml, read strictly."""

from pathlib import Path

import pytest

from milo.cli.config import Config, load_config
from milo.errors import TargetError


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    write(
        tmp_path, '[tool.milo]\ntarget = "build.py:docs"\njobs = 3\ngrace = 1\nplain = true\ncolor = false\n'
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    expected = Config(folder=tmp_path, target="build.py:docs", jobs=3, grace=1, plain=True, color=False)
    assert load_config(below) == expected


def test_a_file_without_the_table_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "[project]\nname = 'x'\n")
    assert load_config(tmp_path) == Config(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.milo]\njob = 3", "has an unknown key 'job'. Did you mean 'jobs'?"),
        ("[tool.milo]\nzzz = 3", "Known keys: target, jobs"),
        ("[tool.milo]\njobs = 0", "jobs must be a whole number of at least 1, not 0"),
        ("[tool.milo]\njobs = true", "jobs must be a whole number of at least 1, not True"),
        ("[tool.milo]\ngrace = inf", "grace must be a number of seconds of at least 0, not inf"),
        ('[tool.milo]\nplain = "yes"', "plain must be true or false, not 'yes'"),
        ("[tool]\nmilo = 3", "tool.milo must be a table, not 3"),
        ("[tool.milo", "is not valid TOML"),
    ],
)
def test_a_mistake_is_refused_with_the_file_and_the_value(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(TargetError) as error:
        load_config(tmp_path)
    assert message in str(error.value)
    assert str(tmp_path / "pyproject.toml") in str(error.value)
