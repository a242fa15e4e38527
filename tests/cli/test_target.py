"""Which TARGET is meant, and what is refused before anything is loaded."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from milo.cli.config import Config
from milo.cli.target import check_target, choose_target
from milo.errors import TargetError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def chosen(
    words: list[str], home: Path, config: Config | None = None, env: str = ""
) -> tuple[str, list[str]]:
    return choose_target(words, config or Config(), home, env)


def test_without_words_the_configuration_comes_before_the_file_here(home: Path) -> None:
    (home / "pipeline.py").touch()
    assert chosen([], home) == ("pipeline.py", [])
    (home / "up").mkdir()
    for file in ("up/build.py", "pkg.py", "env.py"):
        (home / file).touch()
    settings = Config(folder=home / "up", target="build.py:docs")
    assert chosen([], home, settings) == (f"{home}/up/build.py:docs", [])
    assert chosen([], home, Config(folder=home, target="pkg.mod:x")) == ("pkg.mod:x", [])
    assert chosen([], home, settings, "env.py") == ("env.py", [])


def test_who_names_a_target_that_cannot_be_meant_is_told(home: Path) -> None:
    """Nobody has typed it, so nobody knows where it came from."""
    settings = Config(folder=home, target="nope.py")
    with pytest.raises(TargetError) as error:
        chosen([], home, settings)
    expected = f"{home}/pyproject.toml: [tool.milo] target: There is no file {home}/nope.py."
    assert str(error.value).startswith(expected)
    with pytest.raises(TargetError, match=r"^MILO_TARGET: There is no module 'nope_'\."):
        chosen(["a"], home, settings, "nope_")
    with pytest.raises(TargetError, match=r"^MILO_TARGET: ':x' is no TARGET\."):
        chosen([], home, settings, ":x")
    assert chosen(["x.py"], home, settings) == ("x.py", [])


def test_a_plain_first_word_is_a_phase_when_there_is_a_default_target(home: Path) -> None:
    (home / "pipeline.py").touch()
    assert chosen(["test", "lint"], home) == ("pipeline.py", ["test", "lint"])
    (home / "other.py").touch()
    assert chosen(["other", "lint"], home) == ("other", ["lint"])
    assert chosen(["x:y", "lint"], home) == ("x:y", ["lint"])
    assert chosen(["x.py"], home) == ("x.py", [])


def test_a_plain_first_word_is_a_target_when_there_is_no_default(home: Path) -> None:
    assert chosen(["other", "lint"], home) == ("other", ["lint"])


def test_without_any_target_the_next_step_is_told(home: Path) -> None:
    with pytest.raises(TargetError, match="milo init"):
        chosen([], home)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mybild.py", "There is no file mybild.py. Did you mean 'mybuild.py'?"),
        ("nowhere/x.py:docs", "There is no file nowhere/x.py. There is no folder nowhere either."),
        ("folder.py", "folder.py is a folder. Name a file in it, such as folder.py/pipeline.py."),
        ("mybuild.py:", "'mybuild.py:' is no TARGET. Write file.py, file.py:name, module or module:name."),
        (":x", "':x' is no TARGET."),
        ("", "'' is no TARGET."),
        ("nomodule_", "There is no module 'nomodule_'. Write file.py for a file."),
        ("nomodule_.x:y", "There is no module 'nomodule_.x'."),
        ("my-build", "There is no module 'my-build'."),
        (".x", "There is no module '.x'."),
        ("__main__:x", "There is no module '__main__'."),
        ("mybuild.py:do cs", "'mybuild.py:do cs' is no TARGET: 'do cs' is no name. Write file.py,"),
        ("mybuild:1", "'mybuild:1' is no TARGET: '1' is no name."),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_is_loaded(
    home: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    (home / "mybuild.py").touch()
    (home / "folder.py").mkdir()
    # As where the program was not started with -m.
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(TargetError) as error:
        check_target(target)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("target", ["bad.py", "bad.py:anything", "bad", "bad:x", "bad.sub:x"])
def test_what_may_be_meant_is_not_loaded_to_find_out(home: Path, target: str) -> None:
    """A file or module whose code is broken now may be mended when it is run."""
    (home / "bad.py").write_text("raise SystemExit(3)\n")
    check_target(target)
    assert "bad" not in sys.modules


@pytest.mark.parametrize("target", ["mine", "mine:x", "package.sub", "nomodule_", "mcp"])
def test_to_check_a_target_makes_nothing_here_stand_in_for_a_library(home: Path, target: str) -> None:
    """Whoever has checked it goes on importing libraries, one of which a file here may be called like."""
    (home / "mine.py").touch()
    (home / "mcp.py").write_text("raise SystemExit('a stranger')")
    (home / "package").mkdir()
    before = list(sys.path)
    with suppress(TargetError):
        check_target(target)
    assert sys.path == before
