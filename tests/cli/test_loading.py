"""From TARGET to pipeline, or to one clear line."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from milo.cli.loading import load_pipeline
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
