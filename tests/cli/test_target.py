"""From TARGET to pipeline, or to one clear line."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from milo.cli.config import Config
from milo.cli.target import check_target, choose_target, load_pipeline
from milo.errors import TargetError

GOOD = """
from milo.pipeline import Phase, Pipeline
def work(): return 1
pipeline = Pipeline("first", Phase("a", handler=work))
docs = Pipeline("docs", Phase("html", handler=work))
def made(name: str, count: int = 1) -> Pipeline:
    return Pipeline(name, *(Phase(f"p{n}", handler=work) for n in range(count)))
def nothing(): return None
async def later(): return docs
number = 3
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own; what was imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def refused(target: str, *pairs: str) -> str:
    with pytest.raises(TargetError) as error:
        load_pipeline(target, pairs)
    return str(error.value)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("mybuild.py", "first"),
        ("mybuild.py:docs", "docs"),
        ("mybuild", "first"),
        ("mybuild:docs", "docs"),
        ("./mybuild.py:later", "docs"),
    ],
)
def test_a_target_is_a_file_or_a_module_and_a_name_in_it(home: Path, target: str, name: str) -> None:
    (home / "mybuild.py").write_text(GOOD)
    assert load_pipeline(target).name == name


def test_a_function_makes_the_pipeline_from_its_parameters(home: Path) -> None:
    (home / "mybuild.py").write_text(GOOD)
    pipeline = load_pipeline("mybuild.py:made", ["name=x", "count=2"])
    assert (pipeline.name, pipeline.execution_order()) == ("x", ["p0", "p1"])


@pytest.mark.parametrize("name", ["json", "click"])
def test_a_file_named_like_a_library_does_not_take_its_place(home: Path, name: str) -> None:
    (home / f"{name}.py").write_text(GOOD)
    library = importlib.import_module(name)
    assert load_pipeline(f"{name}.py").name == "first"
    assert sys.modules[name] is library


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mybild.py", "There is no file mybild.py. Did you mean 'mybuild.py'?"),
        ("nowhere/x.py", "There is no folder nowhere either."),
        (".", ". is a folder. Name a file in it, such as ./pipeline.py."),
        ("stages/", "stages/ is a folder. Name a file in it, such as stages/pipeline.py."),
        ("stages", "stages is a folder. Name a file in it, such as stages/pipeline.py."),
        ("nomodule_", "There is no module 'nomodule_'."),
        ("nomodule_.x:y", "There is no module 'nomodule_.x'."),
        ("mybuild.py:dosc", "mybuild.py has no 'dosc'. Did you mean 'docs'? Its pipelines: first"),
        (
            "mybuild.py:number",
            "mybuild.py:number is neither a Pipeline nor a function that returns one, but an int.",
        ),
        ("mybuild.py:nothing", "mybuild.py:nothing returned None, not a Pipeline."),
        ("mybuild.py:made", "Parameter 'name' is missing."),
        ("mybuild.py:", "'mybuild.py:' is no TARGET."),
        (":x", "':x' is no TARGET."),
    ],
)
def test_what_is_no_target_is_refused_with_the_next_step(home: Path, target: str, message: str) -> None:
    (home / "mybuild.py").write_text(GOOD.replace('pipeline = Pipeline("first"', 'first = Pipeline("first"'))
    (home / "stages").mkdir()
    assert message in refused(target)


def test_a_function_named_pipeline_is_suggested_without_annotations_too(home: Path) -> None:
    (home / "mybuild.py").write_text("def pipeline(): ...\ndef helper(): ...\n")
    assert refused("mybuild.py:x") == "mybuild.py has no 'x'. Its pipelines: pipeline."


def test_parameters_for_a_pipeline_that_takes_none_are_refused(home: Path) -> None:
    (home / "mybuild.py").write_text(GOOD)
    assert "takes no parameters, but 'x' was given" in refused("mybuild.py", "x=1")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n1 / 0\n", "bad.py:2: ZeroDivisionError: division by zero"),
        ("x = (\n", "bad.py:1: SyntaxError: '(' was never closed."),
        ("import nosuchmodule_\n", "bad.py:1: ModuleNotFoundError: No module named 'nosuchmodule_'"),
        ("raise SystemExit(3)\n", "bad.py:1: it called exit (3) while it was loaded."),
        ("import json\njson.loads('{')\n", "bad.py:2: JSONDecodeError"),
        (
            "from milo.pipeline import Phase, Pipeline\n\n"
            "pipeline = Pipeline('p', Phase('a', handler=print, depends_on=('b',)))\n",
            "bad.py:3: ",
        ),
        ("from milo import Phase\n\nPhase('', print)\n", "bad.py:3: A phase name must not be empty"),
        ("from milo import PhasePolicy\nPhasePolicy('retr')\n", "bad.py:2: on_fail must be one of"),
        ("raise ValueError\n", "bad.py:1: ValueError"),
    ],
)
def test_an_error_in_the_users_file_is_told_with_its_line(home: Path, source: str, message: str) -> None:
    (home / "bad.py").write_text(source)
    assert refused("bad.py").startswith(message)


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
    (home / "mybuild.py").write_text(GOOD)
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
